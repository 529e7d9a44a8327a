"""One installation for all fault tests of a test process; each test has a shop of its own in it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation
from tests.faults.shop import Shop
from tests.notifications.receiver import Receiver, receiver
from tests.support.databases import clone, database_url, use_database


@pytest.fixture(scope="package")
def installation(
    django_db_setup: None,
    django_db_blocker: pytest.FixtureRequest,
    template_database: str,
    worker_id: str,
    tmp_path_factory: pytest.TempPathFactory,
    sink: Receiver,  # outlives what sends to it: its port is another test's afterwards
) -> Iterator[Installation]:
    from django.db import connection

    own = connection.settings_dict["NAME"]
    scratch = f"faults_{own}"
    with clone(template_database, scratch), django_db_blocker.unblock():
        use_database(scratch)
        url = database_url(scratch, os.environ["TEST_APP_URL"])
        running = Installation(tmp_path_factory.mktemp("faults"), database_url=url)
        try:
            yield running.start()
        finally:
            running.stop()
            use_database(own)


@pytest.fixture(scope="package")
def sink() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def shop(installation: Installation, sink: Receiver) -> Shop:
    """A merchant whose requests bring back what has died before they are repeated."""
    installation.revive()
    installation.deaths.clear()
    return Shop(base_url=installation.base_url, sandbox_url=installation.sandbox.url, sink=sink)
