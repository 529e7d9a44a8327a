"""PostgreSQL and Valkey for the tests, from wheels unless DATABASE_URL and REDIS_URL are given.

Loaded by `-p` (pyproject.toml), because pytest-django reads the settings before any conftest. The controller starts them once and
migrates one template database; xdist workers inherit the URLs and clone it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_services = None
_folder: Path | None = None

if "PYTEST_XDIST_WORKER" not in os.environ:
    from common.embedded import Services

    _folder = Path(tempfile.mkdtemp(prefix="counterfoil-tests-"))
    _folder.chmod(0o711)
    _services = Services(_folder / "s", ephemeral=True)
    _urls = _services.start()
    # Tests act as the owner: they create databases and flush tables.
    os.environ.update(_urls | {"DATABASE_URL": _urls["DATABASE_OWNER_URL"], "DATA_DIR": str(_folder / "data")})
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"


def pytest_unconfigure(config: pytest.Config) -> None:
    if _services is not None and _folder is not None:
        _services.stop()
        shutil.rmtree(_folder, ignore_errors=True)
