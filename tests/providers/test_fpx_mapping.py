"""FPX replies, one stored file per case, and the messages that we write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from common.money import Money
from payments.providers.base import BankStatus, Kind, Outcome
from payments.providers.fpx import mapping
from tests.providers import given

S, D, P, U, N = Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_FOUND
PAID, REFUNDED = Money(15000, "MYR"), Money(2000, "MYR")

REPLIES = [  # file, outcome, our failure code, reason, amount
    ("ac_approved", S, "", "", PAID),
    ("ac_approved_one_decimal", S, "", "", PAID),
    ("ac_approved_no_decimals", S, "", "", PAID),
    ("ac_amount_three_decimals", U, "", "unreadable_amount", None),
    ("ac_amount_comma", U, "", "unreadable_amount", None),
    ("ac_amount_missing", U, "", "unreadable_amount", None),
    ("ac_currency_unknown", U, "", "unreadable_amount", None),
    ("ac_insufficient_funds", D, "INSUFFICIENT_FUNDS", "", None),
    ("ac_limit_exceeded", D, "LIMIT_EXCEEDED", "", None),
    ("ac_cancelled_by_payer", D, "CANCELLED_BY_PAYER", "", None),
    ("ac_session_expired", D, "EXPIRED", "", None),
    ("ac_not_permitted", D, "DECLINED", "", None),
    ("ac_bank_error", D, "PROVIDER_ERROR", "", None),
    ("ac_pending", P, "", "", None),
    ("ac_pending_checker", P, "", "", None),
    ("ac_duplicate_order", U, "", "duplicate_reference", None),
    ("ac_unknown_code", U, "", "unknown_code", None),
    ("ac_no_code", U, "", "unknown_code", None),
    ("ac_not_found", D, "DECLINED", "", None),
    ("rc_approved", S, "", "", REFUNDED),
    ("rc_declined", D, "DECLINED", "", None),
    ("rc_pending", P, "", "", None),
    ("rc_not_found", D, "DECLINED", "", None),  # the sale that should be refunded is not there
]


@pytest.mark.parametrize(("case", "outcome", "failure_code", "reason", "amount"), REPLIES, ids=lambda value: str(value))
def test_a_reply_means(case: str, outcome: Outcome, failure_code: str, reason: str, amount: Money | None) -> None:
    fields = given.stored_reply("fpx", case)

    told = mapping.result(fields)

    assert (told.outcome, told.failure_code, told.reason, told.amount) == (outcome, failure_code, reason, amount)
    assert told.code == fields["fpx_debitAuthCode"]


@pytest.mark.parametrize("case", ["ac_not_found", "rc_not_found"])
def test_not_found_in_a_look_up_is_about_the_operation_itself(case: str) -> None:
    assert mapping.result(given.stored_reply("fpx", case), looking_up=True).outcome is N


def test_references_are_taken_over_and_the_checksum_is_not() -> None:
    fields = given.stored_reply("fpx", "ac_approved")

    told = mapping.result(fields)

    assert told.provider_reference == "2510071430210001"
    assert (told.approval_code, told.bank_reference) == ("1516020000", "9552000000")
    assert told.raw == {name: value for name, value in fields.items() if name != "fpx_checkSum"}


def test_every_stored_reply_is_in_the_table() -> None:
    assert {path.stem for path in (given.DATA / "fpx").iterdir()} == {case for case, *_ in REPLIES}


def test_the_enquiry_is_the_order_with_another_message_type() -> None:
    request = given.request(payer_name="Nur | Aisyah\r\n binti Test", description="x" * 50)
    config = given.fpx_account().config

    order = mapping.payment("AR", request, config)

    assert order == {
        "fpx_msgType": "AR",
        "fpx_msgToken": "01",
        "fpx_sellerExId": "EX90000001",
        "fpx_sellerExOrderNo": "OPTEST0002",
        "fpx_sellerTxnTime": "20251008003005",
        "fpx_sellerOrderNo": "OPTEST0002",
        "fpx_sellerId": "SE90000001",
        "fpx_sellerBankCode": "01",
        "fpx_txnCurrency": "MYR",
        "fpx_txnAmount": "150.00",
        "fpx_buyerEmail": "payer@example.com",
        "fpx_buyerName": "Nur Aisyah binti Test",
        "fpx_buyerBankId": "TEST0001",
        "fpx_buyerBankBranch": "",
        "fpx_buyerAccNo": "",
        "fpx_buyerId": "",
        "fpx_makerName": "",
        "fpx_buyerIban": "",
        "fpx_productDesc": "x" * 30,
        "fpx_version": "7.0",
    }
    assert mapping.payment("AE", request, config) == order | {"fpx_msgType": "AE"}
    assert mapping.payment("AR", replace(request, business_banking=True), config)["fpx_msgToken"] == "02"


def test_a_refund_names_the_sale_it_gives_back() -> None:
    request = given.request(Kind.REFUND, amount=Money(1, "MYR"))

    message = mapping.refund("RF", request, given.fpx_account().config)

    assert message["fpx_txnAmount"] == "0.01"
    assert (message["fpx_orgSellerExOrderNo"], message["fpx_orgFpxTxnId"]) == ("OPTEST0001", "2090000123")


def test_times_are_malaysian() -> None:
    assert mapping.wire_time(datetime(2024, 2, 29, 16, 0, 0, tzinfo=UTC)) == "20240301000000"


def test_the_bank_list_keeps_order_and_names_what_it_knows() -> None:
    assert mapping.banks("MB2U0227~A,NEW00001~B") == [
        BankStatus("MB2U0227", "Maybank2U", online=True),
        BankStatus("NEW00001", "NEW00001", online=False),
    ]


@pytest.mark.parametrize("text", ["MB2U0227", "MB2U0227~C", "MB2U0227~A~A", "~"])
def test_an_odd_bank_list_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        mapping.banks(text)
