"""A merchant's web server: keeps what the providers post and what the payer's browser brings, and answers as it is told."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from tests.support.listening import Listening

PAY_PAGE = '<form method="post" action="{action}">{fields}<button>Go on</button></form>'


@dataclass(frozen=True)
class Received:
    path: str
    fields: dict[str, str]


class Receiver:
    """`direct` holds the posts to /direct, `returned` everything else. `answers` are used up before the usual (200, "OK")."""

    def __init__(self) -> None:
        self.direct: queue.Queue[Received] = queue.Queue()
        self.returned: queue.Queue[Received] = queue.Queue()
        self.answers: deque[tuple[int, str]] = deque()
        self.pages: dict[str, str] = {}  # path: HTML
        self.redirects: dict[str, str] = {}  # path: address
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                path = urlsplit(self.path).path
                received = Received(path, dict(parse_qsl(body, keep_blank_values=True)))
                if path == "/direct":
                    answer = receiver.answers.popleft() if receiver.answers else (200, "OK")
                    receiver.direct.put(received)
                    self.answer(*answer)
                else:
                    self.visited(received)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self.visited(Received(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))))

            def visited(self, received: Received) -> None:
                if received.path in receiver.redirects:
                    self.send_response(302)
                    self.send_header("Location", receiver.redirects[received.path])
                    self.end_headers()
                elif received.path in receiver.pages:
                    self.answer(200, receiver.pages[received.path])
                else:
                    receiver.returned.put(received)
                    self.answer(200, "<p>Thank you</p>")

            def answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: object) -> None:
                """Quiet: the tests look at the messages."""

        self.server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def called_back(self) -> dict[str, str]:
        return self.direct.get(timeout=10).fields

    def came_back(self) -> dict[str, str]:
        return self.returned.get(timeout=10).fields


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
