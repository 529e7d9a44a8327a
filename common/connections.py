"""A thread's database connection ends with the thread.

The web server lets idle threads go and starts others with the next burst. Django keeps a thread's connection in an object that refers to
itself, so it would stay open until the garbage collector comes by: one for every thread that there ever was, until PostgreSQL has no
place left and everybody hears 503.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_of_thread = threading.local()


class _Ends(list[Any]):
    """The connections that a thread opened. It lives in the thread's own storage, and nobody else refers to it: it goes when the thread does.

    A process that was forked off has a copy, which goes as well: whoever said goodbye there would end the parent's conversation.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process = os.getpid()

    def __del__(self) -> None:
        if self._process == os.getpid():
            for opened in self:
                opened.close()


def _opened(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """A thread may have several that are open: one for each alias and, where an event loop runs in it, for each context."""
    ends = _of_thread.__dict__.setdefault("ends", _Ends())
    ends[:] = [each for each in ends if not each.closed] + [connection.connection]


def end_with_threads() -> None:
    """From now on; asked for when the apps are ready."""
    connection_created.connect(_opened, dispatch_uid="common.connections")
