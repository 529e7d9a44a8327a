"""The sandbox's one SQLite file: a connection for each thread, one writer at a time.

The process-wide lock in front of `BEGIN IMMEDIATE` makes waiting writers queue instead of polling SQLite's file lock, and it
makes every read inside `write()` a read of the final state.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sandbox import settings

_SCHEMA = Path(__file__).with_name("schema.sql")


class Store:
    """The file `sandbox.sqlite3` in `directory`, created when it is not there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = directory / "sandbox.sqlite3"
        self._local = threading.local()
        self._writing = threading.Lock()
        self.read().executescript(_SCHEMA.read_text())

    def read(self) -> sqlite3.Connection:
        """This thread's connection; every statement on it sees the last committed state."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-1024;"
            )
            self._local.connection = connection
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else's write can interleave with; rolled back when the block raises."""
        connection = self.read()
        with self._writing:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


@cache
def store() -> Store:
    """The store of this process. The first call has to come before threads start: `sandbox.wsgi` makes it."""
    return Store(settings.DATA_DIR)
