"""A server that answers as it is told, one answer a request, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR = '{"error": {"code": "%s", "message": "A sentence.", "details": {}, "timestamp": "2026-03-02T04:00:00Z", "requestId": "req_1"}}'
TRANSACTION = (
    '{"id": "txn_1", "status": "PENDING", "fromAccountId": null, "toAccountId": null, "paymentTypeId": "fpx", "amount": 100.50,'
    ' "amountCaptured": 0.00, "amountRefunded": 0.00, "currencyCode": "MYR", "description": null, "externalReference": null,'
    ' "metadata": {}, "failureCode": null, "failureReason": null, "nextAction": null, "payments": [],'
    ' "createdAt": "2026-03-02T04:00:00.123Z", "updatedAt": "2026-03-02T04:00:00.123Z", "expiresAt": null, "addedLater": 1}'
)


@dataclass(frozen=True)
class Answer:
    """`status` 0 cuts the connection instead of answering."""

    status: int
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: str


class Scripted(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers = list(answers)
        self.asked: list[Asked] = []


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        names = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, names, body))
        answer = self.server.answers.pop(0)
        if not answer.status:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *args: object) -> None:
        """Quiet: the tests look at `asked`."""


@contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    server = Scripted(answers)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
