"""Real threads on real PostgreSQL, let go at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection


def race(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)` ... `act(count - 1)` at once, each on its own connection. Returns results, exceptions included, in order."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        try:
            barrier.wait(timeout=30)
            return act(number)
        except Exception as exc:  # what a racer raised is its result
            return exc
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=count) as pool:
        return list(pool.map(run, range(count)))
