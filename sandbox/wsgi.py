"""The application: opens the store and starts the callback sender once, before the server's threads."""

from __future__ import annotations

import ctypes
import os
import signal

from django.core.wsgi import get_wsgi_application

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """The kernel ends this worker when the process that started it is gone, even by SIGKILL (Linux)."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


_die_with_parent()
application = get_wsgi_application()

# These need the settings, which the line above has set up.
from sandbox import callbacks  # noqa: E402
from sandbox.fpx.keys import ensure_exchange_key  # noqa: E402

ensure_exchange_key()
callbacks.start()
