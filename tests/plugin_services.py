"""PostgreSQL and Valkey for the tests, from wheels unless DATABASE_URL and REDIS_URL are given.

Loaded by `-p` (pyproject.toml), because pytest-django reads the settings before any conftest. The controller starts the services once;
xdist workers inherit the URLs, each with a Redis database of its own. tests/conftest.py makes the databases.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from common.embedded import Services


def _start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    services = Services(folder / "services", ephemeral=True)
    urls = services.start()
    atexit.register(services.stop)  # not pytest_unconfigure, which a crash in the settings skips
    # Tests act as the owner: they create databases and flush tables.
    os.environ |= urls | {"DATABASE_URL": urls["DATABASE_OWNER_URL"], "TEST_APP_URL": urls["DATABASE_URL"]}
    os.environ |= {"DATA_DIR": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "config.settings.test"}


worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker is None:
    _start()
else:
    number = int(worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}").geturl()
    os.environ["DATA_DIR"] += f"-{worker}"
(Path(os.environ["DATA_DIR"]) / "static").mkdir(parents=True)
