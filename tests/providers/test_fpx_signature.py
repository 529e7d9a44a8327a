"""fpx_checkSum against signatures computed here by hand, from RFC 8017, without the library that the adapter uses."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from payments.providers.base import BadSignature
from payments.providers.fpx import mapping, signature
from payments.providers.fpx.adapter import Fpx
from payments.providers.session import open_session
from tests.providers import given

DIGEST_INFO = {  # RFC 8017, 9.2, note 1
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
}
APPROVED_TEXT = (
    "SBI BANK A|TEST0021|||Nur Aisyah|00|9552000000|00|1516020000|2510071430210001|20251007143021||01|AC|"
    "EX90000001|OPTESTFPX0001|SE90000001|OPTESTFPX0001|20251007142955|150.00|MYR"
)
PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="|"), max_size=30)


def signed_by_hand(text: str, *, owner: str, hash_name: str) -> str:
    numbers = given.rsa_key(owner).private_numbers()
    modulus = numbers.public_numbers.n
    size = (modulus.bit_length() + 7) // 8
    info = DIGEST_INFO[hash_name] + hashlib.new(hash_name, text.encode()).digest()
    block = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return f"{pow(int.from_bytes(block), numbers.d, modulus):0{size * 2}X}"


def approved(**changes: str) -> dict[str, str]:
    fields = given.stored_reply("fpx", "ac_approved") | changes
    text = "|".join(fields[name] for name in sorted(mapping.AC))
    return fields | {"fpx_checkSum": signed_by_hand(text, owner="exchange", hash_name="sha1")}


def adapter(signature_hash: str = "sha1") -> Fpx:
    return Fpx(given.fpx_account(signature_hash=signature_hash), open_session())


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_the_checksum_is_that_of_the_published_scheme(hash_name: str) -> None:
    fields = given.stored_reply("fpx", "ac_approved")

    signed = signature.sign(fields, private_key=given.private_pem(given.rsa_key("seller")), hash_name=hash_name)

    assert signature.signed_text(fields).decode() == APPROVED_TEXT
    assert signed["fpx_checkSum"] == signed_by_hand(APPROVED_TEXT, owner="seller", hash_name=hash_name)


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_a_message_signed_by_the_exchange_is_read_in_either_case(hash_name: str) -> None:
    checksum = signed_by_hand(APPROVED_TEXT, owner="exchange", hash_name=hash_name)
    fields = given.stored_reply("fpx", "ac_approved")

    reports = [
        adapter(hash_name).read(given.posted(urlencode(fields | {"fpx_checkSum": text}).encode()))
        for text in (checksum, checksum.lower())
    ]

    assert reports[0] == reports[1]
    assert reports[0].reference == "OPTESTFPX0001"


def test_every_changed_byte_is_refused() -> None:
    body = urlencode(approved(fpx_buyerIban="I", fpx_buyerId="1", fpx_makerName="M")).encode()
    fpx = adapter()
    fpx.read(given.posted(body))

    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1
        with pytest.raises(BadSignature):
            fpx.read(given.posted(bytes(changed)))


@pytest.mark.parametrize("checksum", [None, "", "zz", "ABC", "AB", "é", " " * 8, "0" * 512, "F" * 512, "F" * 40000])
def test_a_missing_or_odd_checksum_is_refused(checksum: str | None) -> None:
    fields = approved()
    del fields["fpx_checkSum"]
    if checksum is not None:
        fields["fpx_checkSum"] = checksum

    with pytest.raises(BadSignature):
        adapter().read(given.posted(urlencode(fields).encode()))


def test_a_checksum_of_the_other_hash_or_another_key_is_refused() -> None:
    fields = given.stored_reply("fpx", "ac_approved")

    for owner, hash_name in (("exchange", "sha256"), ("seller", "sha1"), ("stranger", "sha1")):
        checksum = signed_by_hand(APPROVED_TEXT, owner=owner, hash_name=hash_name)
        with pytest.raises(BadSignature):
            adapter("sha1").read(given.posted(urlencode(fields | {"fpx_checkSum": checksum}).encode()))


def test_values_cannot_move_between_fields_under_one_checksum() -> None:
    fields = approved()
    renamed = {("fpx_buyerIbam" if name == "fpx_buyerIban" else name): value for name, value in fields.items()}
    merged = fields | {"fpx_sellerTxnTime": "20251007142955|150.00", "fpx_txnAmount": "MYR"}
    del merged["fpx_txnCurrency"]
    shifted = fields | {"fpx_buyerBankBranch": "SBI BANK A|TEST0021", "fpx_buyerBankId": ""}
    extra = fields | {"fpx_zzz": ""}

    for forged in (renamed, merged, shifted, extra):
        with pytest.raises(BadSignature):
            adapter().read(given.posted(urlencode(forged).encode()))


def test_a_delimiter_in_a_value_is_refused_because_a_decline_could_be_read_as_an_approval() -> None:
    declined = approved(fpx_creditAuthNo="1|00", fpx_debitAuthCode="51", fpx_debitAuthNo="2")
    forged = declined | {"fpx_creditAuthNo": "1", "fpx_debitAuthCode": "00", "fpx_debitAuthNo": "51|2"}

    for fields in (declined, forged):  # one signed text
        with pytest.raises(BadSignature):
            adapter().read(given.posted(urlencode(fields).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"fpx_msgType=AC",
        b'{"fpx_msgType": "AC"}',
        urlencode(approved()).encode() + b"&fpx_txnAmount=1.00",
        urlencode(approved()).encode() + b"&fpx_txnAmount=150.00",
        urlencode(approved()).encode() + b"&x=%ff",
        urlencode(approved()).encode().replace(b"Nur+", b"Nur "),
    ],
)
def test_what_has_no_single_reading_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(body))


@pytest.mark.parametrize("field", ["fpx_sellerId", "fpx_sellerExId"])
def test_a_well_signed_message_for_another_account_is_refused(field: str) -> None:
    with pytest.raises(BadSignature):
        adapter().read(given.posted(urlencode(approved(**{field: "SE90000002"})).encode()))


@settings(max_examples=25, deadline=None)
@for_all(st.dictionaries(st.sampled_from(sorted(mapping.RC)), PLAIN, max_size=len(mapping.RC)))
def test_what_is_signed_verifies_and_no_other_value_does(values: dict[str, str]) -> None:
    fields = dict.fromkeys(mapping.RC, "") | values
    signed = signature.sign(fields, private_key=given.private_pem(given.rsa_key("exchange")), hash_name="sha256")
    key = given.public_pem(given.rsa_key("exchange"))

    signature.verify(signed, names=mapping.RC, public_key=key, hash_name="sha256")

    for name in fields:
        altered = signed | {name: signed[name] + "x"}
        with pytest.raises(BadSignature):
            signature.verify(altered, names=mapping.RC, public_key=key, hash_name="sha256")
