"""Never answering: the request is carried out, the caller waits, and then the connection breaks off."""

from __future__ import annotations

import threading
import time

from django.http import HttpResponseBase, StreamingHttpResponse

from sandbox import settings

_AT_ONCE = 48  # more callers than this lose their connection straight away: silence must not take every thread
_places = threading.BoundedSemaphore(_AT_ONCE)


def silence() -> HttpResponseBase:
    """Hold the caller for SANDBOX_SILENCE_SECONDS, then break the connection."""
    if _places.acquire(blocking=False):
        try:
            time.sleep(settings.SILENCE_SECONDS)
        finally:
            _places.release()
    # A body that ends before its announced length makes the server close the connection.
    return StreamingHttpResponse([b""], headers={"Content-Length": "1"})
