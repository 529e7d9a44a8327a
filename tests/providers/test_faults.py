"""What both adapters make of a provider that misbehaves: NotSent only when surely nothing left, UNKNOWN for every other fault."""

from __future__ import annotations

import datetime
import gzip
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from payments.providers.base import Account, Kind, NotSent, Outcome, Provider, ProviderError, ProviderResult
from payments.providers.fpx import signature as fpx_signature
from payments.providers.migs import signature as migs_signature
from payments.providers.registry import provider_class
from payments.providers.session import open_session
from tests.providers import given
from tests.providers.odd_server import Answer, Connection, odd_server, reply, says, tls_context

TIMEOUT = (0.5, 0.5)  # for a provider that leaves us waiting
PATIENCE = (10.0, 10.0)  # for every other, however busy the machine is
REQUEST = given.request(Kind.REFUND)


@dataclass(frozen=True)
class Side:
    """One provider as these tests need it: its account at some address, and what it signs."""

    code: str
    account: Callable[..., Account]
    case: str
    reference_field: str
    sign: Callable[[dict[str, str]], dict[str, str]]

    def adapter(self, base_url: str, timeout: tuple[float, float] = PATIENCE) -> Provider:
        return provider_class(self.code)(self.account(base_url=base_url), open_session(), timeout)

    def signed(self, **changes: str) -> bytes:
        fields = given.stored_reply(self.code, self.case) | {self.reference_field: REQUEST.reference} | changes
        fields = {name: value for name, value in fields.items() if "checkSum" not in name and "SecureHash" not in name}
        return urlencode(self.sign(fields)).encode()


def sign_fpx(fields: dict[str, str], owner: str = "exchange") -> dict[str, str]:
    key = given.private_pem(given.rsa_key(owner))
    return fpx_signature.sign(fields, private_key=key, hash_name="sha1")


def sign_migs(fields: dict[str, str]) -> dict[str, str]:
    return migs_signature.sign(fields, secret=given.MIGS_SECRET)


FPX = Side("fpx", given.fpx_account, "rc_approved", "fpx_sellerExOrderNo", sign_fpx)
MIGS = Side("migs", given.migs_account, "querydr_approved", "vpc_MerchTxnRef", sign_migs)


@pytest.fixture(params=[FPX, MIGS], ids=["fpx", "migs"])
def side(request: pytest.FixtureRequest) -> Side:
    found: Side = request.param
    return found


@pytest.fixture(params=["send", "look_up"])
def ask(request: pytest.FixtureRequest) -> Callable[[Provider], ProviderResult]:
    return lambda provider: getattr(provider, request.param)(REQUEST)


Ask = Callable[[Provider], ProviderResult]


def test_a_sound_reply_is_understood(side: Side, ask: Ask) -> None:
    with odd_server(says(reply(b"\r\n" + side.signed() + b"\r\n"))) as server:
        told = ask(side.adapter(server.base_url))

    assert (told.outcome, server.requests) == (Outcome.SUCCEEDED, 1)


# -- it surely took no effect --------------------------------------------------------------------------------------


def test_a_closed_port_is_not_sent(side: Side, ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NotSent):
        ask(side.adapter(f"http://127.0.0.1:{port}"))


def test_a_host_that_does_not_take_the_connection_is_not_sent(side: Side, ask: Ask) -> None:
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())  # fills the queue: Linux lets further callers wait

        with pytest.raises(NotSent):
            ask(side.adapter(f"http://127.0.0.1:{listener.getsockname()[1]}", TIMEOUT))


def test_an_unknown_host_is_not_sent(side: Side, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(NotSent):
        ask(side.adapter("http://provider.invalid"))


def test_an_unusable_address_is_not_sent(side: Side, ask: Ask) -> None:
    with pytest.raises(NotSent):
        ask(side.adapter("http://["))


def test_a_failed_tls_handshake_is_not_sent(side: Side, ask: Ask, tmp_path: Path) -> None:
    with odd_server(says(reply(b"")), tls=tls_context(tmp_path)) as untrusted, pytest.raises(NotSent):
        ask(side.adapter(untrusted.base_url, TIMEOUT))
    with odd_server(says(b"this is no TLS")) as plain, pytest.raises(NotSent):
        ask(side.adapter(plain.base_url.replace("http:", "https:"), TIMEOUT))

    assert (untrusted.requests, plain.requests) == (0, 0)


def test_a_rate_limit_with_the_time_to_come_back_is_not_sent(side: Side, ask: Ask) -> None:
    limited = reply(b"", status="429 Too Many Requests", headers="Retry-After: 7\r\n")

    with odd_server(says(limited)) as server, pytest.raises(NotSent) as caught:
        ask(side.adapter(server.base_url))

    assert caught.value.retry_after_seconds == 7


# -- it left us ----------------------------------------------------------------------------------------------------


def test_a_connection_lost_after_the_handshake_is_unknown(side: Side, ask: Ask, tmp_path: Path) -> None:
    with odd_server(Connection.reset, tls=tls_context(tmp_path)) as server:
        adapter = side.adapter(server.base_url)
        adapter.session.verify = str(tmp_path / "certificate.pem")
        told = ask(adapter)

    assert (told.outcome, told.reason, server.requests) == (Outcome.UNKNOWN, "no_reply", 1)


HTML = b"<html><title>502</title>card 5123456789012346</html>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def drips(data: bytes) -> Answer:
    return lambda connection: connection.drip(data)


ENDLESS: list[tuple[str, Answer]] = [
    ("stays silent", Connection.wait),
    ("drips a header", drips(b"x")),
    ("drips headers", says(b"HTTP/1.1 200 OK\r\n", drips(b"A: b\r\n"))),
    ("continues for ever", drips(b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("drips a body", says(b"HTTP/1.1 200 OK\r\n\r\n", drips(b"a"))),
]
FAULTS: list[tuple[str, Answer, str]] = [
    ("hangs up", Connection.hang_up, "no_reply"),
    ("resets", Connection.reset, "no_reply"),
    ("breaks off", says(reply(b"a=1&b=2")[:-1], Connection.hang_up), "no_reply"),
    ("breaks off a chunk", says(CHUNKED + b"5\r\na=1&b\r\n", Connection.hang_up), "no_reply"),
    ("speaks no HTTP", says(b"\x00\x01\x02 hello\r\n\r\n"), "no_reply"),
    ("sends an odd length", says(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\na=1"), "no_reply"),
    ("sends an endless header", says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "no_reply"),
    ("fails", says(reply(HTML, status="500 Internal Server Error")), "http_500"),
    ("is behind a bad gateway", says(reply(HTML, status="502 Bad Gateway")), "http_502"),
    ("is away", says(reply(b"", status="503 Service Unavailable", headers="Retry-After: 9\r\n")), "http_503"),
    ("refuses oddly", says(reply(b"a=1", status="418 Teapot")), "http_418"),
    ("has no body", says(reply(b"", status="204 No Content")), "http_204"),
    ("points elsewhere", says(reply(b"", status="307 Temporary Redirect", headers="Location: /\r\n")), "http_307"),
    ("points nowhere", says(reply(b"", status="302 Found", headers="Location: http://[\r\n")), "http_302"),
    ("limits without a time", says(reply(b"", status="429 Too Many Requests")), "rate_limited"),
    ("limits until noon", says(reply(b"", status="429 X", headers="Retry-After: noon\r\n")), "rate_limited"),
    ("says nothing", says(reply(b"")), "unreadable_reply"),
    ("says ERROR", says(reply(b"ERROR")), "unreadable_reply"),
    ("says HTML", says(reply(HTML)), "unreadable_reply"),
    ("says noise", says(reply(bytes(range(256)))), "unreadable_reply"),
    ("says too much", says(reply(b"a=1&" * 20_000)), "reply_too_large"),
]


both_sides = pytest.mark.parametrize(
    ("side", "ask"),
    [(FPX, lambda fpx: fpx.send(REQUEST)), (MIGS, lambda migs: migs.look_up(REQUEST))],
    ids=["fpx-send", "migs-look_up"],
)


@pytest.mark.parametrize(("answer", "reason"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
@both_sides
def test_a_provider_that(side: Side, ask: Ask, answer: Answer, reason: str) -> None:
    with odd_server(answer) as server:
        told = ask(side.adapter(server.base_url))

    assert (told.outcome, told.reason, told.amount) == (Outcome.UNKNOWN, reason, None)
    assert server.requests == 1  # never sent again by itself
    assert "5123456789012346" not in str(told.raw)


@pytest.mark.parametrize("answer", [fault[1] for fault in ENDLESS], ids=[fault[0] for fault in ENDLESS])
@both_sides
def test_a_provider_that_never_ends_is_left_in_time(side: Side, ask: Ask, answer: Answer) -> None:
    with odd_server(answer) as server:
        began_at = time.monotonic()
        told = ask(side.adapter(server.base_url, TIMEOUT))
        took_seconds = time.monotonic() - began_at

    assert (told.outcome, told.reason, told.amount) == (Outcome.UNKNOWN, "no_reply", None)
    assert server.requests == 1
    assert took_seconds < TIMEOUT[1] + 5


def test_a_reply_in_another_charset_or_compressed_is_unknown(side: Side, ask: Ask) -> None:
    body = side.signed()
    encodings = [
        reply(body.decode().encode("utf-16"), headers="Content-Type: text/plain; charset=utf-16\r\n"),
        reply(gzip.compress(body), headers="Content-Encoding: gzip\r\n"),
    ]
    for encoded in encodings:
        with odd_server(says(encoded)) as server:
            told = ask(side.adapter(server.base_url))

        assert (told.outcome, told.reason) == (Outcome.UNKNOWN, "unreadable_reply")


def test_a_reply_that_is_not_signed_by_the_provider_is_unknown(side: Side, ask: Ask) -> None:
    body = side.signed()
    digit = b"0" if not body.endswith(b"0") else b"1"
    forged = [
        body.replace(b"MYR", b"MYX"),
        body[:-1] + digit,
        body.split(b"&", 1)[1],
        b"&".join(part for part in body.split(b"&") if b"checkSum" not in part and b"SecureHash" not in part),
    ]
    for reply_body in forged:
        with odd_server(says(reply(reply_body))) as server:
            told = ask(side.adapter(server.base_url))

        assert (told.outcome, told.reason, dict(told.raw)) == (Outcome.UNKNOWN, "bad_signature", {})


@pytest.mark.parametrize(
    ("fpx_changes", "migs_changes"),
    [
        ({"fpx_sellerExOrderNo": "OPTEST0009"}, {"vpc_MerchTxnRef": "OPTEST0009"}),
        ({"fpx_sellerId": "SE90000002"}, {"vpc_Merchant": "TESTMIGS02"}),
        ({"fpx_txnCurrency": "SGD"}, {"vpc_Currency": "SGD"}),
    ],
    ids=["reference", "account", "currency"],
)
def test_a_signed_reply_about_something_else_is_unknown(
    side: Side, ask: Ask, fpx_changes: dict[str, str], migs_changes: dict[str, str]
) -> None:
    body = side.signed(**(fpx_changes if side is FPX else migs_changes))

    with odd_server(says(reply(body))) as server:
        told = ask(side.adapter(server.base_url))

    assert (told.outcome, told.reason, told.amount) == (Outcome.UNKNOWN, "mismatched_reply", None)


@both_sides
def test_a_slow_reply_leaves_no_short_timeout_on_the_kept_connection(side: Side, ask: Ask) -> None:
    body = side.signed()

    def answer(connection: Connection) -> None:
        whole = reply(body)
        connection.send(whole[:10])
        connection.wait(0.7)
        connection.send(whole[10:])

    with odd_server(answer) as server:
        adapter = side.adapter(server.base_url, (1.2, 1.2))  # what is left of it would not do for the second
        outcomes = [ask(adapter).outcome, ask(adapter).outcome]

    assert (outcomes, server.connections) == ([Outcome.SUCCEEDED] * 2, 1)


# -- reference data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Connection.reset, says(reply(HTML)), says(reply(b"", status="503 Away"))])
def test_a_bank_list_that_cannot_be_had_is_an_error(answer: Answer) -> None:
    with odd_server(answer) as server, pytest.raises(ProviderError):
        FPX.adapter(server.base_url).banks()


@pytest.mark.parametrize(
    "changes", [{"fpx_bankList": "TEST0001"}, {"fpx_msgToken": "02"}, {"fpx_sellerExId": "EX90000002"}]
)
def test_a_signed_bank_list_of_another_kind_is_an_error(changes: dict[str, str]) -> None:
    fields = {
        "fpx_bankList": "TEST0001~A",
        "fpx_msgToken": "01",
        "fpx_msgType": "BC",
        "fpx_sellerExId": "EX90000001",
    }
    answer = says(reply(urlencode(sign_fpx(fields | changes)).encode()))

    with odd_server(answer) as server, pytest.raises(ProviderError):
        FPX.adapter(server.base_url).banks()


def test_a_statement_is_served_whole_or_not_at_all(side: Side) -> None:
    file = b"H,TEST\n" + b"x" * 300_000
    day = datetime.date(2025, 10, 7)

    with odd_server(says(reply(file))) as server:
        assert side.adapter(server.base_url).statement(day) == file
    with odd_server(says(reply(file)[:-1], Connection.hang_up)) as server, pytest.raises(ProviderError):
        side.adapter(server.base_url).statement(day)
