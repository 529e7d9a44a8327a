"""Work on one after the other, each apart: what is wrong with one is logged by name and does not keep the others waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def apart(event: str, **about: Any) -> Iterator[None]:
    """For what is tried again by whoever comes next; nothing of the one may be half done, so each is its own transaction."""
    try:
        yield
    except Exception:  # nobody knows what may be wrong with one of many; told with its traceback, never silently
        log.exception(event, **about)
