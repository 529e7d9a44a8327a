"""What the database raises: when it cannot be used (the caller hears 503 and asks again, because nothing was done), and by which rule it refused."""

from __future__ import annotations

from django.db import IntegrityError, InterfaceError, InternalError, OperationalError

# Away, restarting, out of space or out of time, in a deadlock (OperationalError, InterfaceError); read-only (InternalError).
AWAY = (OperationalError, InterfaceError, InternalError)


def constraint_of(exc: IntegrityError) -> str:
    """The name of the constraint that PostgreSQL says was broken."""
    diagnostics = getattr(exc.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or ""
