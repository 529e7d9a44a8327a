"""A merchant's callback address: acknowledges what providers post, and keeps it as an adapter wants to read it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from payments.providers.base import InboundMessage
from tests.support.listening import Listening


class Listener:
    """`url` + "/direct" takes what the provider posts, `url` + "/return" what the payer's browser brings."""

    def __init__(self) -> None:
        self.direct: queue.Queue[InboundMessage] = queue.Queue()
        self.returned: queue.Queue[InboundMessage] = queue.Queue()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._keep()

            def do_GET(self) -> None:
                self._keep()

            def _keep(self) -> None:
                address = urlsplit(self.path)
                message = InboundMessage(
                    method=self.command,
                    content_type=self.headers.get("Content-Type", ""),
                    query=address.query,
                    body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
                    headers=dict(self.headers),
                )
                (listener.direct if address.path == "/direct" else listener.returned).put(message)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"OK")

            def log_message(self, *args: object) -> None:
                """Quiet: the tests look at the messages."""

        self.server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def callback_listener() -> Iterator[Listener]:
    listener = Listener()
    threading.Thread(target=listener.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()
