"""Where webhooks may go: no special-purpose address in any spelling, whatever a name resolves to, now or later."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.errors import InvalidRequest
from notifications.channels.webhook import client
from notifications.channels.webhook.addresses import is_public
from notifications.channels.webhook.target import TargetRefused, resolve_target, system_resolver
from notifications.services.endpoints import endpoint_create
from tests.factories import NOW, MerchantFactory
from tests.notifications.given import MERCHANT, delivery, endpoint, send_all
from tests.notifications.receiver import Receiver, receiver

BLOCKED = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00::1",
]


def test_every_special_purpose_address_is_refused_and_its_neighbours_are_not() -> None:
    assert [text for text in BLOCKED if is_public(ip_address(text))] == []
    assert [text for text in PUBLIC if not is_public(ip_address(text))] == []


SPELLINGS = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "１２７.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "169.254.169.254",
    "0xa9fea9fe",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "10.1",
    "192.168.257",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_an_inner_address_is_refused(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:443/hooks"):
        with pytest.raises(TargetRefused) as refused:
            resolve_target(url)
        assert refused.value.blocked  # it did resolve, and what it resolved to was the reason


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "https://shop.example:8443/",
        "https://shop.example:80/",
        "https://user@shop.example/",
        "https://user:pass@shop.example/",
        "https://@shop.example/",
        "https://shop.example/#fragment",
        "https:///hooks",
        "https://",
        "//shop.example/",
        "shop.example",
        "",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "https://shop.example\\@127.0.0.1/",
        "https://shop.example/\r\nX: y",
        "https://shop.example/a b",
        "https://shop.example/ü",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://shop.example%2f@127.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://shop.example/" + "x" * 2000,
        "http://127.0.0.1:8300/",
        "http://127.0.0.1:8199/",
        "http://127.0.0.2:8200/",
    ],
)
def test_urls_that_are_refused_whatever_they_resolve_to(url: str) -> None:
    with pytest.raises(TargetRefused):
        resolve_target(url, resolve=lambda host, port: ["127.0.0.2" if host == "127.0.0.2" else "93.184.215.14"])


def test_a_public_target_is_looked_up_once_and_keeps_its_name() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.215.14", "2606:4700::1111"]

    target = resolve_target("HTTPS://Bücher.example./hooks?a=1&b=%20", resolve=resolve)

    assert asked == [("xn--bcher-kva.example", 443)]
    assert (target.tls, target.host_header, target.path) == (True, "xn--bcher-kva.example", "/hooks?a=1&b=%20")
    assert target.addresses == ("93.184.215.14", "2606:4700::1111")


@pytest.fixture
def canary() -> Iterator[Receiver]:
    """Something that listens inside: nobody may connect to it."""
    with receiver() as inside:
        yield inside
        assert inside.connections == 0


@pytest.mark.django_db
def test_blocked_and_dead_names_are_refused_alike_and_never_connected_to(canary: Receiver) -> None:
    answers = {
        "one-inside.example": ["93.184.215.14", "127.0.0.1"],
        "inside.example": ["127.0.0.1"],
        "mapped.example": ["::ffff:127.0.0.1"],
        "none.example": [],
    }

    def resolve(host: str, port: int) -> list[str]:
        if host not in answers:
            raise OSError("NXDOMAIN")
        return answers[host]

    said = set()
    for host in [*answers, "dead.example"]:
        with pytest.raises(InvalidRequest) as refused:
            endpoint_create(
                merchant_id=MerchantFactory().pk,
                live=False,
                url=f"https://{host}/",
                actor=MERCHANT,
                now=NOW,
                resolve=resolve,
            )
        said.add((refused.value.message, str(refused.value.details)))

    assert len(said) == 1


@pytest.mark.django_db(transaction=True)
def test_a_name_that_turns_inwards_after_registration_is_blocked_at_every_send(canary: Receiver) -> None:
    to, _ = endpoint("https://shop.example/hooks")
    sent, dead = delivery(to), delivery(endpoint("https://dead.example/")[0])

    def rebound(host: str, port: int) -> list[str]:
        if host == "dead.example":
            raise OSError("NXDOMAIN")
        return ["127.0.0.1"]

    send_all(resolve=rebound)

    blocked, unreachable = sent.tries.get(), dead.tries.get()
    assert (blocked.blocked, unreachable.blocked) == (True, False)
    assert blocked.error == unreachable.error == "unreachable"
    assert blocked.status is None
    assert bytes(blocked.response) == b""


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name` and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("asked", "error"), [("shop.example", ""), ("other.example", "tls")])
def test_tls_goes_to_the_checked_address_in_the_name_of_the_host(
    asked: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is for shop.example alone, and is trusted."""
    certificate_file, key_file = certificate(tmp_path, "shop.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    client._tls_context.cache_clear()
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    context.sni_callback = lambda sock, name, _: names.append(name)

    with receiver() as shop:
        shop.server.socket = context.wrap_socket(shop.server.socket, server_side=True)
        inside = lambda host, port: ["127.0.0.1"]  # noqa: E731
        to, _ = endpoint(f"https://{asked}:{shop.port}/hooks", resolve=inside)
        sent = delivery(to)
        send_all(resolve=inside)

    client._tls_context.cache_clear()
    assert sent.tries.get().error == error
    assert names == [asked]
    assert [request.headers["host"] for request in shop.requests] == [f"shop.example:{shop.port}"] * (not error)


@pytest.mark.django_db(transaction=True)
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, "shop.example"))
    with receiver() as shop:
        shop.server.socket = context.wrap_socket(shop.server.socket, server_side=True)
        inside = lambda host, port: ["127.0.0.1"]  # noqa: E731
        sent = delivery(endpoint(f"https://shop.example:{shop.port}/", resolve=inside)[0])
        send_all(resolve=inside)

    assert (sent.tries.get().error, shop.requests) == ("tls", [])


def test_the_system_resolver_gives_each_address_once() -> None:
    assert system_resolver("127.0.0.1", 443) == ["127.0.0.1"]
