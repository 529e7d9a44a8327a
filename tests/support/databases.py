"""Databases of one test run: each is a clone of the one that was migrated, and is as empty after each test."""

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


# What `migrate` has made and tests leave alone; and above this size a table is quicker truncated than its rows are deleted.
_KEPT = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
_APPS = ("common", "merchants", "payments", "notifications", "reconciliation")
_LARGE_BYTES = 4_000_000
_TABLES = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL(%s)
"""
_FUNCTIONS = ("counterfoil_append_only", "counterfoil_no_delete")


def empty_tables() -> None:
    """Delete what a test has committed. Truncating them all, as Django does, costs a third of a second: hundreds of files.

    In one transaction, which no other connection sees from inside, keys are not looked at and the rules that refuse a DELETE let it pass.
    """
    from django.apps import apps
    from django.db import connection, transaction
    from django.db.models.signals import post_migrate

    from merchants.roles import ROLES

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES, [list(_KEPT)])
        tables = dict(cursor.fetchall())
        if max(tables.values()) > _LARGE_BYTES:
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        else:
            cursor.execute("SELECT pg_get_functiondef(f::regproc) FROM unnest(%s::text[]) f", [list(_FUNCTIONS)])
            definitions = [definition for (definition,) in cursor.fetchall()]
            lenient = "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'"
            statements = ["SET LOCAL session_replication_role = replica", *map(lenient.format, _FUNCTIONS)]
            statements += [f"DELETE FROM {table}" for table, size in tables.items() if size]
            cursor.execute(";".join([*statements, *definitions]))
        cursor.execute(
            "DELETE FROM auth_group_permissions p USING auth_group g WHERE g.id = p.group_id AND g.name <> ALL(%s)",
            [list(ROLES)],
        )
        cursor.execute("DELETE FROM auth_group WHERE name <> ALL(%s)", [list(ROLES)])
        for name in _APPS:  # rows that `migrate` has made too
            app = apps.get_app_config(name)
            post_migrate.send(app, app_config=app, verbosity=0, interactive=False, using="default", apps=apps)


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
