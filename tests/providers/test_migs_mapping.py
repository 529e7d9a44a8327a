"""MIGS replies, one stored file per case, and the messages that we write."""

from __future__ import annotations

import pytest

from common.money import Money
from payments.providers.base import Kind, Outcome
from payments.providers.migs import mapping
from tests.providers import given

S, D, P, U, N = Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND
PAID = Money(15000, "MYR")

REPLIES = [  # file, outcome, our failure code, reason, amount
    ("pay_approved", S, "", "Approved", PAID),
    ("pay_approved_card_number", S, "", "Approved", PAID),
    ("pay_declined", D, "DECLINED", "Declined", None),
    ("pay_expired_card", D, "INVALID_CARD", "Expired Card", None),
    ("pay_insufficient_funds", D, "INSUFFICIENT_FUNDS", "Insufficient Funds", None),
    ("pay_cancelled", D, "CANCELLED_BY_PAYER", "Cancelled", None),
    ("pay_bank_error", D, "PROVIDER_ERROR", "Error Communicating with Bank", None),
    ("pay_no_reply_from_bank", U, "", "no_reply_from_bank", None),
    ("pay_pending", P, "", "Pending", None),
    ("pay_unknown_code", U, "", "unknown_code", None),
    ("pay_no_code", U, "", "unknown_code", None),
    ("pay_amount_decimal", U, "", "unreadable_amount", None),
    ("pay_amount_missing", U, "", "unreadable_amount", None),
    ("pay_amount_negative", U, "", "unreadable_amount", None),
    ("pay_currency_unknown", U, "", "unreadable_amount", None),
    ("capture_approved", S, "", "Approved", Money(9000, "MYR")),
    ("refund_refused", D, "PROVIDER_ERROR", "Refund exceeds captured amount", None),
]
QUERIES = [
    ("querydr_approved", S, "Approved", PAID),
    ("querydr_declined", D, "Declined", None),
    ("querydr_not_found", N, "", None),
    ("querydr_several", U, "several_records", None),
    ("querydr_refused", U, "query_refused", None),
]


@pytest.mark.parametrize(("case", "outcome", "failure_code", "reason", "amount"), REPLIES, ids=lambda value: str(value))
def test_a_reply_means(case: str, outcome: Outcome, failure_code: str, reason: str, amount: Money | None) -> None:
    fields = given.stored_reply("migs", case)

    told = mapping.result(fields)

    assert (told.outcome, told.failure_code, told.reason, told.amount) == (outcome, failure_code, reason, amount)
    assert told.code == fields["vpc_TxnResponseCode"]


@pytest.mark.parametrize(("case", "outcome", "reason", "amount"), QUERIES, ids=lambda value: str(value))
def test_a_query_answer_means(case: str, outcome: Outcome, reason: str, amount: Money | None) -> None:
    told = mapping.query_result(given.stored_reply("migs", case))

    assert (told.outcome, told.reason, told.amount) == (outcome, reason, amount)


def test_references_are_taken_over_and_the_hash_is_not() -> None:
    told = mapping.result(given.stored_reply("migs", "pay_approved_card_number"))

    assert told.provider_reference == "2090000123"
    assert (told.approval_code, told.bank_reference) == ("431221", "528012345678")
    assert told.raw["vpc_CardNum"] == "...2346"
    assert not {"vpc_SecureHash", "vpc_SecureHashType", "vpc_AccessCode", "vpc_Password"} & set(told.raw)


def test_every_stored_reply_is_in_a_table() -> None:
    assert {path.stem for path in (given.DATA / "migs").iterdir()} == {case for case, *_ in REPLIES + QUERIES}


def test_a_query_speaks_of_what_was_asked() -> None:
    config = given.migs_account().config
    request = given.request(reference="OPTESTMIGS0001")
    paid, absent = given.stored_reply("migs", "querydr_approved"), given.stored_reply("migs", "querydr_not_found")

    assert mapping.answers(paid, request, config)
    assert mapping.answers(absent, request, config)
    for other in ({"vpc_MerchTxnRef": "OPTESTMIGS0009"}, {"vpc_Merchant": "TESTMIGS02"}, {"vpc_Currency": "USD"}):
        assert not mapping.answers(paid | other, request, config)


def test_the_order_carries_no_delimiter_in_free_text() -> None:
    account = given.migs_account()
    request = given.request(description="Road tax &vpc_Amount=1 & permit for five vehicles")

    assert mapping.pay(request, account.config, account.credentials) == {
        "vpc_Version": "1",
        "vpc_Command": "pay",
        "vpc_AccessCode": "ACCESS-CODE-1",
        "vpc_Merchant": "TESTMIGS01",
        "vpc_MerchTxnRef": "OPTEST0002",
        "vpc_OrderInfo": "Road tax vpc_Amount=1 permit for f",
        "vpc_Amount": "15000",
        "vpc_Currency": "MYR",
        "vpc_Locale": "en",
        "vpc_ReturnURL": "http://127.0.0.1:8000/return?payment=1",
    }


@pytest.mark.parametrize(
    ("kind", "command"), [(Kind.CAPTURE, "capture"), (Kind.REFUND, "refund"), (Kind.VOID, "voidAuthorisation")]
)
def test_a_follow_up_names_the_gateways_transaction(kind: Kind, command: str) -> None:
    account = given.migs_account()

    message = mapping.follow_up(given.request(kind), account.config, account.credentials)

    assert message == {
        "vpc_Version": "1",
        "vpc_Command": command,
        "vpc_AccessCode": "ACCESS-CODE-1",
        "vpc_Merchant": "TESTMIGS01",
        "vpc_MerchTxnRef": "OPTEST0002",
        "vpc_User": "operator-1",
        "vpc_Password": "ama-password-1",
        "vpc_TransNo": "2090000123",
        "vpc_Amount": "15000",
        "vpc_Currency": "MYR",
    }
