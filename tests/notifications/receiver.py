"""A merchant's server on a port that the demo's exception lets through: keeps what arrives and answers as it is told."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.listening import Listening

Answer = Callable[["Exchange"], bytes]
# Each test worker has some of the ports to itself: what is sent to a receiver that has gone reaches nobody.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS = range(8200, 8300)[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _WORKERS :: _WORKERS]


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.monotonic)


class Exchange:
    """One request, and the connection it came over. What the answer function returns is sent as it is."""

    def __init__(self, received: Received, sock: socket.socket, stop: threading.Event) -> None:
        self.received = received
        self._sock = sock
        self._stop = stop

    def hang(self) -> bytes:
        """Say nothing until the test ends."""
        self._stop.wait(30)
        return b""

    def drip(self, data: bytes) -> bytes:
        """One byte at a time for ever."""
        while not self._stop.wait(0.02):
            self._sock.sendall(data[:1])
            data = data[1:] or b"x"
        return b""

    def reset(self) -> bytes:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return b""


def reply(status: int = 200, body: bytes = b"OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Receiver:
    """`requests` in the order of arrival, `connections` accepted; set `answer` to say something else than 200."""

    def __init__(self, port: int) -> None:
        self.answer: Answer = lambda exchange: reply()
        self.requests: list[Received] = []
        self.connections = 0
        self.stop = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body)
                receiver.requests.append(received)
                try:
                    said = receiver.answer(Exchange(received, self.connection, receiver.stop))
                    self.wfile.write(said)
                    self.close_connection = not said or b"Connection: close" in said
                except OSError:  # the sender has given up, which several tests are about
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Quiet: the tests look at the requests."""

        self.server = Listening(("127.0.0.1", port), Handler)
        self.port = port
        self.url = f"http://127.0.0.1:{port}/hooks?shop=1"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of 8200 to 8299."""
    for port in _PORTS:
        try:
            made = Receiver(port)
            break
        except OSError:  # taken: another test process, or the demo's listener
            continue
    else:
        raise RuntimeError("no free port from 8200 to 8299")
    threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
    finally:
        made.stop.set()
        made.server.shutdown()
        made.server.server_close()
