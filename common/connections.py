"""A thread's database connection ends with the thread.

The web server lets idle threads go and starts others with the next burst. Django keeps a thread's connection in an object that refers to
itself, so it would stay open until the garbage collector comes by: one for every thread that there ever was, until PostgreSQL has no
place left and everybody hears 503.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_of_thread = threading.local()


class _End:
    """Lives in the thread's own storage, and nobody else refers to it: it goes when the thread does."""

    __slots__ = ("_opened",)

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def __del__(self) -> None:
        self._opened.close()


def _opened(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """The one before, if there was one, is closed already."""
    setattr(_of_thread, connection.alias, _End(connection.connection))


def end_with_threads() -> None:
    """From now on; asked for when the apps are ready."""
    connection_created.connect(_opened, dispatch_uid="common.connections")
