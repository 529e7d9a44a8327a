"""One live process for all tests of a test worker, on the database that the tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.db import connection

from tests.live.server import LiveServer
from tests.support.api import api  # noqa: F401  # fixture
from tests.support.databases import database_url


@pytest.fixture(scope="package")
def running_live(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    url = database_url(connection.settings_dict["NAME"], os.environ["TEST_APP_URL"])
    server = LiveServer(tmp_path_factory.mktemp("live"), database_url=url)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def live(running_live: LiveServer, settings: LazySettings) -> LiveServer:
    """The process; the relay of this test nudges it, the API of this test leads to it."""
    settings.REDIS_URL = running_live.redis_url
    settings.LIVE_URL = running_live.url
    return running_live
