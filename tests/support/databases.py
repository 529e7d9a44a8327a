"""Databases of one test run: each is a clone of the one that was migrated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


def database_url(database: str, url: str | None = None) -> str:
    """The URL of a database on the server of `url` (the tests' own server), as its role."""
    return urlsplit(url or os.environ["DATABASE_URL"])._replace(path=f"/{database}").geturl()


def use_database(database: str) -> None:
    """Let Django's connections of this process go to `database`."""
    from django.conf import settings
    from django.db import connection

    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = database


@contextmanager
def clone(template: str, name: str) -> Iterator[str]:
    """A database of its own for as long as the context lives. Whoever is still connected at the end is cut off."""
    with psycopg.connect(database_url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield name
    finally:
        with psycopg.connect(database_url("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def what_was_asked_may_change(table: str) -> Iterator[None]:
    """Plant what cannot be: for tests of how the rest holds out. Inside a test's own transaction only."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ '_(fixed_columns|only_if_hosted)$'",
            [table],
        )
        triggers = [name for (name,) in cursor.fetchall()]
        for trigger in triggers:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        for trigger in triggers:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
