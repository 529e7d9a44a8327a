"""One migrated template database a run; every xdist worker clones it, so migrations run once."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from common.embedded import grant_app_role, role_of
from tests.support.databases import clone, database_url, use_database
from tests.support.sandbox_process import SandboxProcess

_TEMPLATE_LOCK = 7021

# How fast a machine is says nothing about a property.
hypothesis_settings.register_profile(
    "suite", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("suite")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now stays: nobody has to look through it for garbage again and again."""
    gc.collect()
    gc.freeze()


def _migrate(database: str) -> None:
    from django.core.management import call_command
    from django.db import connection

    grant_app_role(database_url(database), role_of(os.environ["TEST_APP_URL"]))
    use_database(database)
    gc.disable()  # thousands of short-lived model classes: a third of the time went into looking for others
    call_command("migrate", verbosity=0)
    gc.enable()
    connection.close()


@pytest.fixture(scope="session")
def template_database(testrun_uid: str) -> str:
    return f"template_{testrun_uid}"


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_blocker: pytest.FixtureRequest, template_database: str, testrun_uid: str, worker_id: str
) -> Iterator[None]:
    template, own = template_database, f"test_{testrun_uid}_{worker_id}"
    with psycopg.connect(database_url("postgres"), autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            draft = f"{template}_draft"
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
            with django_db_blocker.unblock():
                _migrate(draft)
            admin.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(template))
            )
        admin.execute("SELECT pg_advisory_unlock(%s)", [_TEMPLATE_LOCK])
    with clone(template, own):
        with django_db_blocker.unblock():
            use_database(own)
        yield
        with django_db_blocker.unblock():
            use_database(own)  # closes the connection


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> None:
    """After a test that commits."""
    from django.test import TransactionTestCase

    from tests.support.databases import empty_tables

    TransactionTestCase._fixture_teardown = lambda _: empty_tables()  # type: ignore[method-assign,assignment]


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """No test knows what the one before it has read."""
    from merchants import credentials, selectors
    from merchants.api import throttling
    from payments.selectors import forget_banks

    credentials.forget_keys()
    credentials.forget_sessions()
    selectors.forget_accounts()
    selectors.forget_merchants()
    forget_banks()
    throttling._local.clear()
    throttling._redis_retry_at = 0.0


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """On a busy machine Redis may take longer than a request should wait for it: what limits count is tested, not how fast."""
    from merchants.api import throttling

    throttling.REDIS_TIMEOUT_SECONDS = 20.0


@pytest.fixture
def app_role_url(django_db_setup: None) -> str:
    """The test's database as the role that every process of an installation uses: it owns no table."""
    from django.db import connection

    return database_url(connection.settings_dict["NAME"], os.environ["TEST_APP_URL"])


@pytest.fixture
def process_environment(django_db_setup: None) -> dict[str, str]:
    """The environment of a real process (worker, server) that shall work on the test's own database and Redis."""
    from django.db import connection

    return dict(os.environ) | {"DATABASE_URL": database_url(connection.settings_dict["NAME"])}


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The provider sandbox, a process of its own for each test worker."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox")).start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def sandbox_url(sandbox: SandboxProcess) -> str:
    return sandbox.url
