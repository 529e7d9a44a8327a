"""The live process: requests are Django's, on a few threads; streams are coroutines.

Django's own ASGI handler gives every request a thread (its synchronous middleware and signals ask for one) and keeps it until the
response has ended: a thousand streams would be a thousand threads with a database connection each. So a request is answered here by
the ordinary middleware and views on a small pool, and when the answer turns out to be a stream, the thread is given back first.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import HttpResponse

from common.requests import Utf8ASGIRequest
from notifications.live.hub import Hub
from notifications.live.stream import Stream
from notifications.live.views import EventStream

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = structlog.get_logger(__name__)

URLS = "notifications.live.urls"
THREADS = 4
RETRY = b"retry: 3000\n\n"  # milliseconds until a client comes back
HEARTBEAT = b": still here\n\n"


class LiveApplication:
    """ASGI. Construct it after django.setup()."""

    def __init__(self) -> None:
        self._hub = Hub()
        self._handler = BaseHandler()
        self._handler.load_middleware()
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="live-request")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request = Utf8ASGIRequest(scope, BytesIO())  # nothing here reads a body
        response = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, request)
        headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if isinstance(response, EventStream) and request.method == "GET":
            await _stream(self._hub, response.stream, receive, send)
        else:
            await send({"type": "http.response.body", "body": response.content})

    def _answer(self, request: ASGIRequest) -> HttpResponse:
        close_old_connections()
        request.urlconf = URLS
        request.hub = self._hub  # type: ignore[attr-defined]
        response = self._handler.get_response(request)
        assert isinstance(response, HttpResponse), "no route of the live process streams Django's way"  # noqa: S101
        return response


async def _stream(hub: Hub, stream: Stream, receive: Receive, send: Send) -> None:
    """Send what the stream is given, until the client is gone, does not listen, or has been here long enough."""
    leave_at = asyncio.get_running_loop().time() + random.uniform(*settings.LIVE_LIFETIME_SECONDS)  # noqa: S311 no secret
    gone = asyncio.create_task(_until_gone(stream, receive))
    hub.open(stream)
    try:
        await _write(send, RETRY)
        while not stream.ended and (left := leave_at - asyncio.get_running_loop().time()) > 0:
            events = await stream.take(seconds=min(settings.LIVE_HEARTBEAT_SECONDS, left))
            await _write(send, events or HEARTBEAT)
        await _write(send, b"", more=False)
    except TimeoutError:
        log.info("live.slow_client_let_go", transaction=stream.transaction_id)  # it resumes after the last event it saw
    finally:
        hub.close(stream)
        gone.cancel()


async def _write(send: Send, data: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(settings.LIVE_WRITE_SECONDS):
        await send({"type": "http.response.body", "body": data, "more_body": more})


async def _until_gone(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
