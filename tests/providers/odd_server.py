"""A server of raw sockets that answers as no real server should: the faults that a well-behaved peer cannot show."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from tests.providers import given

Answer = Callable[["Connection"], None]


class Connection:
    """One accepted connection on which one whole request has been read."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self.sock = sock
        self._stop = stop

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes) -> None:
        """One byte at a time, over and over, until the client has gone or the test ends."""
        while not self._stop.is_set():
            for byte in data:
                self.send(bytes([byte]))
                if self._stop.wait(0.02):
                    return

    def wait(self, seconds: float | None = None) -> None:
        self._stop.wait(seconds)

    def hang_up(self) -> None:
        """Close the connection (FIN)."""
        raise ConnectionAbortedError("the server hangs up")

    def reset(self) -> None:
        """Close it the hard way (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()


class OddServer:
    """`requests` counts the whole requests that arrived, `connections` the connections."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._tls = tls
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests = 0
        self.connections = 0
        scheme = "http" if tls is None else "https"
        self.base_url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:  # one side hung up, which is what several tests are about
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as stream:
                while _read_request(stream):
                    self.requests += 1
                    self._answer(Connection(sock, self._stop))


def _read_request(stream: BinaryIO) -> bool:
    """Read one request; False when the client sent none."""
    length = 0
    for line in iter(stream.readline, b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            return len(stream.read(length)) == length
    return False


@contextmanager
def odd_server(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[OddServer]:
    server = OddServer(answer, tls)
    try:
        yield server
    finally:
        server.close()


def says(data: bytes, then: Answer = lambda connection: None) -> Answer:
    """Send `data`, then do something else."""

    def answer(connection: Connection) -> None:
        connection.send(data)
        then(connection)

    return answer


def reply(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP reply."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def tls_context(folder: Path) -> ssl.SSLContext:
    """A server context with a certificate of its own making, which is left in `folder`."""
    key = given.rsa_key("tls")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd server")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_text(given.private_pem(key))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
