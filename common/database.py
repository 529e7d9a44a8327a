"""What the database has and raises: when it cannot be used (the caller hears 503 and asks again, because nothing was done), and by which rule it refused."""

from __future__ import annotations

from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection
from django.db.models import Model

# Away, restarting, out of space or out of time, in a deadlock (OperationalError, InterfaceError); read-only (InternalError).
AWAY = (OperationalError, InterfaceError, InternalError)


def constraint_of(exc: IntegrityError) -> str:
    """The name of the constraint that PostgreSQL says was broken."""
    diagnostics = getattr(exc.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or ""


def is_as_here(model: type[Model]) -> bool:
    """Whether the model's table has all its columns; not so in a database that has been migrated back to before one of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s",
            [model._meta.db_table],
        )
        known = {name for (name,) in cursor.fetchall()}
    return known >= {field.column for field in model._meta.concrete_fields}
