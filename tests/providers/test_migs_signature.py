"""vpc_SecureHash against digests that another implementation (OpenSSL's command line) computed."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from payments.providers.base import BadSignature
from payments.providers.migs import signature
from payments.providers.migs.adapter import Migs
from payments.providers.session import open_session
from tests.providers import given

FIELDS = {
    "vpc_TxnResponseCode": "0",
    "vpc_OrderInfo": "Road tax & permit = 2",
    "vpc_Merchant": "TESTMIGS01",
    "vpc_MerchTxnRef": "OPTESTMIGS0001",
    "vpc_Currency": "MYR",
    "vpc_Command": "pay",
    "vpc_Amount": "15000",
}
SIGNED_TEXT = (
    "vpc_Amount=15000&vpc_Command=pay&vpc_Currency=MYR&vpc_MerchTxnRef=OPTESTMIGS0001&vpc_Merchant=TESTMIGS01"
    "&vpc_OrderInfo=Road tax & permit = 2&vpc_TxnResponseCode=0"
)
DIGEST = "B94957B593465D418B57EDBB3BF23A52ECD416F3FBB31E08087C3CF50C3C72BB"  # openssl dgst -sha256 -mac HMAC
NAMES = st.from_regex(r"(?:vpc|user)_[A-Za-z0-9]{1,12}", fullmatch=True).filter(lambda name: "SecureHash" not in name)
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30).filter(lambda text: "&" not in text)


def signed(**changes: str) -> dict[str, str]:
    return FIELDS | {"vpc_SecureHash": DIGEST, "vpc_SecureHashType": "SHA256"} | changes


def adapter() -> Migs:
    return Migs(given.migs_account(), open_session())


def test_the_hash_is_that_of_the_published_scheme() -> None:
    unsigned_extras = {"vpc_Card": "", "return_token": "x"}  # empty and foreign fields are not part of it

    assert signature.signed_text(FIELDS | unsigned_extras).decode() == SIGNED_TEXT
    assert signature.sign(FIELDS, secret=given.MIGS_SECRET) == signed()


def test_text_outside_ascii_is_signed_as_utf8() -> None:
    fields = signature.sign({"vpc_Merchant": "é", "vpc_MerchTxnRef": "R"}, secret=given.MIGS_SECRET)

    assert fields["vpc_SecureHash"] == "5DA7C0134DF1D65990F59E3B2D6293BA20E1B7187F3177E636E2D1981E5DEBE7"  # openssl


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.lower()])
def test_a_signed_result_is_read_from_the_query_and_from_the_body_in_either_case(digest: str) -> None:
    form = urlencode(signed(vpc_SecureHash=digest))

    returned = adapter().read(given.posted(b"", method="GET", query=f"payment=1&{form}"))
    notified = adapter().read(given.posted(form.encode(), query="vpc_TxnResponseCode=2"))

    assert returned == notified
    assert (notified.reference, notified.result.code) == ("OPTESTMIGS0001", "0")


def test_every_changed_byte_is_refused() -> None:
    body = urlencode(signed()).encode()
    migs = adapter()
    migs.read(given.posted(body))

    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1
        with pytest.raises(BadSignature):
            migs.read(given.posted(bytes(changed)))


@pytest.mark.parametrize("digest", ["", "zz" * 32, DIGEST[:-1], DIGEST + "00", " " + DIGEST[1:], "é" * 32, "٣" * 64])
def test_a_missing_or_odd_hash_is_refused(digest: str) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(urlencode(signed(vpc_SecureHash=digest)).encode()))


@pytest.mark.parametrize("hash_type", ["", "MD5", "sha256", "SHA512"])
def test_only_sha256_is_accepted(hash_type: str) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(urlencode(signed(vpc_SecureHashType=hash_type)).encode()))


def test_one_signed_text_has_only_one_reading() -> None:
    swallowed = signed(vpc_OrderInfo="Road tax & permit = 2&vpc_TxnResponseCode=0")
    del swallowed["vpc_TxnResponseCode"]
    renamed = signed()
    del renamed["vpc_Amount"]
    renamed["vpc_Amount=15000&vpc_Command"] = renamed.pop("vpc_Command")

    for forged in (swallowed, renamed):
        ours = "&".join(f"{name}={forged[name]}" for name in sorted(forged) if "SecureHash" not in name)
        assert ours == SIGNED_TEXT  # so a naive reader would accept it
        with pytest.raises(BadSignature):
            adapter().read(given.posted(urlencode(forged).encode()))


def test_an_order_whose_text_would_have_two_readings_is_not_signed() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        signature.sign(FIELDS | {"vpc_ReturnURL": "http://127.0.0.1/?a=1&vpc_Amount=1"}, secret=given.MIGS_SECRET)


@pytest.mark.parametrize("query", ["", "vpc_MerchTxnRef=R", "vpc_Amount=1&vpc_Amount=1", "vpc_Message=é", "a=%ff", "a"])
def test_what_has_no_single_reading_is_refused(query: str) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(b"", method="GET", query=query))


@pytest.mark.parametrize("duplicate", ["vpc_Amount=15000", "vpc_Amount=1", "x=1&x=1"])
def test_duplicate_fields_are_refused(duplicate: str) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(f"{urlencode(signed())}&{duplicate}".encode()))


def test_a_well_signed_message_for_another_merchant_is_refused() -> None:
    fields = signature.sign(FIELDS | {"vpc_Merchant": "TESTMIGS02"}, secret=given.MIGS_SECRET)

    with pytest.raises(BadSignature):
        adapter().read(given.posted(urlencode(fields).encode()))


@for_all(st.dictionaries(NAMES, VALUES, min_size=1, max_size=12))
def test_what_is_signed_verifies_and_no_other_value_does(fields: dict[str, str]) -> None:
    message = signature.sign(fields, secret=given.MIGS_SECRET)
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value)
    expected = hmac.new(bytes.fromhex(given.MIGS_SECRET), text.encode(), hashlib.sha256)

    assert message["vpc_SecureHash"] == expected.hexdigest().upper()
    signature.verify(message, secret=given.MIGS_SECRET)

    for name in fields:
        with pytest.raises(BadSignature):
            signature.verify(message | {name: message[name] + "x"}, secret=given.MIGS_SECRET)
