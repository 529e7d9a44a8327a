"""What a database that cannot be used raises: the caller hears 503 and asks again, because nothing was done."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

# Away, restarting, out of space or out of time, in a deadlock (OperationalError, InterfaceError); read-only (InternalError).
AWAY = (OperationalError, InterfaceError, InternalError)
