"""CPU time of this process and of its database session: what a busy machine distorts least.

Of the session only where PostgreSQL runs on this machine, and without its parallel workers; else zero.
"""

from __future__ import annotations

import time
from pathlib import Path


def cpu_seconds() -> float:
    """Used so far, both together. Take the difference of two."""
    from django.db import connection

    connection.ensure_connection()
    try:
        nanoseconds = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]
    except OSError:
        nanoseconds = "0"
    return time.process_time() + int(nanoseconds) / 1e9
