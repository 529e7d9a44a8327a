"""One live process for all tests of a test worker, on the database that the tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from tests.live.server import LiveServer
from tests.support.api import _fresh_caches, api  # noqa: F401  # fixtures


@pytest.fixture(scope="package")
def running_live(app_role_url_for_package: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("live"), database_url=app_role_url_for_package)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="package")
def app_role_url_for_package(django_db_setup: None) -> str:
    import os

    from django.db import connection

    from tests.support.databases import database_url

    return database_url(connection.settings_dict["NAME"], os.environ["TEST_APP_URL"])


@pytest.fixture
def live(running_live: LiveServer, settings: LazySettings) -> LiveServer:
    """The process; the relay of this test nudges it, the API of this test leads to it."""
    settings.REDIS_URL = running_live.redis_url
    settings.LIVE_URL = running_live.url
    return running_live
