"""`Prefer: wait=N` (RFC 7240): hold an answer until the outcome of a transaction is known or N seconds (25 at most) have passed.

A request that waits keeps a web thread, so only a few of each process may: the others are answered at once, and without the header
`Preference-Applied` the caller sees that it has to ask again. Waiting is one small query every third of a second.
"""

from __future__ import annotations

import re
import threading
import time

from django.http import HttpRequest

from merchants.caller import Caller
from payments.selectors import transactions_of
from payments.states import TransactionStatus

LONGEST_SECONDS = 25
MOST_WAITING = 3  # of the 8 threads that a web process has (WEB_THREADS)
PAUSE_SECONDS = 0.33
APPLIED = "Preference-Applied"
_OPEN = (TransactionStatus.PENDING, TransactionStatus.PROCESSING)
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
_places = threading.BoundedSemaphore(MOST_WAITING)


def wished_seconds(request: HttpRequest) -> int:
    """How long the caller would wait, 0 if it would not. A preference that cannot be read is none (RFC 7240)."""
    found = _WAIT.search(request.META.get("HTTP_PREFER", ""))
    return min(int(found[1]), LONGEST_SECONDS) if found else 0


def wait_for_outcome(caller: Caller, transaction_id: str, *, seconds: int) -> bool:
    """Return when the outcome is known or the time is over; False at once if too many are waiting already."""
    if not seconds or not _places.acquire(blocking=False):
        return False
    try:
        still_open = transactions_of(caller).filter(pk=transaction_id, status__in=_OPEN)
        until = time.monotonic() + seconds
        while still_open.exists() and (left := until - time.monotonic()) > 0:
            time.sleep(min(PAUSE_SECONDS, left))
    finally:
        _places.release()
    return True
