"""Bad input is refused in a sentence, and never breaks anything."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.merchants import public_pem

EC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----"""
HERE = "http://127.0.0.1:1/x"


@pytest.mark.parametrize("path", ["_payer", "_control/fpx", "_accounts/fpx", "_accounts/migs"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"a": NaN}', b'{"decision": "\\ud800"}', b"[" * 5000]
)
def test_a_body_that_is_no_json_object(sandbox_url: str, path: str, body: bytes) -> None:
    answer = requests.post(f"{sandbox_url}/{path}", data=body, timeout=10)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize(
    ("provider", "change"),
    [
        ("fpx", {"publicKey": "key"}),
        ("fpx", {"publicKey": EC_KEY}),
        ("fpx", {"publicKey": None}),
        ("fpx", {"directUrl": "http://["}),
        ("fpx", {"directUrl": "http://192.0.2.1/"}),
        ("fpx", {"indirectUrl": ""}),
        ("fpx", {"signatureHash": "md5"}),
        ("fpx", {"signatureHash": ["sha1"]}),
        ("migs", {"mode": "both"}),
        ("migs", {"mode": {}}),
        ("migs", {"notifyUrl": "javascript:alert(1)"}),
        ("migs", {"notifyUrl": 7}),
    ],
    ids=str,
)
def test_an_account_that_cannot_be_opened(sandbox_url: str, provider: str, change: dict[str, Any]) -> None:
    body: dict[str, Any] = {"publicKey": public_pem(), "directUrl": HERE, "indirectUrl": HERE, "notifyUrl": HERE}

    answer = requests.post(f"{sandbox_url}/_accounts/{provider}", json=body | change, timeout=10)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert requests.post(f"{sandbox_url}/_accounts/{provider}", json=body, timeout=10).status_code == 201


_PAGES = ["FPXMain/seller2DReceiver.jsp", "FPXMain/sellerNVPTxnStatus.jsp", "FPXMain/RetrieveBankList"]
_PAGES += ["FPXMain/sellerRefund.jsp", "vpcpay", "vpcdps"]


@pytest.mark.parametrize("page", _PAGES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&&",
        b"fpx_msgType",
        b"fpx_msgType=AR&fpx_msgType=AR",
        b"vpc_Merchant=%FF%FE",
        b"\xff\x00",
        b"fpx_checkSum=%C3%A9&fpx_msgType=BE&fpx_msgToken=01&fpx_sellerExId=&fpx_version=7.0",
        b"vpc_Merchant=x&vpc_SecureHash=%C3%A9&vpc_SecureHashType=SHA256",
        b"&".join(b"f%d=1" % number for number in range(500)),
        b"a=" + b"x" * 100_000,
    ],
    ids=range(10),
)
def test_a_message_that_cannot_be_read(sandbox_url: str, page: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = requests.post(f"{sandbox_url}/{page}", data=body, headers=headers, timeout=10)

    refused = answer.text == "ERROR" or answer.status_code == 400 or "vpc_TxnResponseCode=7" in answer.text
    assert (refused, answer.status_code < 500) == (True, True)


def test_the_pages_of_an_order_that_does_not_exist(sandbox_url: str) -> None:
    for provider in ("fpx", "migs"):
        answer = requests.post(f"{sandbox_url}/{provider}/pay/none", data={"decision": "approve"}, timeout=10)
        assert answer.status_code == 404


def test_its_front_page_lists_the_helpers(sandbox_url: str) -> None:
    page = requests.get(sandbox_url, timeout=10).text

    assert [name in page for name in ("/_payer", "/_control/fpx", "/_books/migs", "/fpx/statements/")] == [True] * 4
    assert requests.get(f"{sandbox_url}/healthz", timeout=10).json() == {"status": "up"}
    assert requests.get(f"{sandbox_url}/nowhere", timeout=10).status_code == 404
