"""MIGS: capture, refund, voidAuthorisation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from tests.sandbox.merchants import MigsMerchant, new_reference


def number_of(merchant: MigsMerchant, order: dict[str, str]) -> str:
    return merchant.send("queryDR", order["vpc_MerchTxnRef"])["TransactionNo"]


def test_an_authorisation_moves_money_by_capture_only(authoriser: MigsMerchant) -> None:
    order = authoriser.pay()
    number = number_of(authoriser, order)
    capture, refund = new_reference(), new_reference()

    captured = authoriser.act("capture", number, "10000", reference=capture)
    refunded = authoriser.act("refund", captured["TransactionNo"], "4000", reference=refund)

    names = ("TxnResponseCode", "Amount", "AuthorisedAmount", "CapturedAmount", "RefundedAmount")
    assert [captured[name] for name in names] == ["0", "10000", "15000", "10000", "0"]
    assert [refunded[name] for name in names] == ["0", "4000", "15000", "10000", "4000"]
    assert [authoriser.booked(reference) for reference in (order["vpc_MerchTxnRef"], capture, refund)] == [
        [("authorisation", "150.00", "authorised")],
        [("charge", "100.00", "completed")],
        [("refund", "40.00", "completed")],
    ]
    assert authoriser.send("queryDR", capture)["TransactionNo"] == captured["TransactionNo"]


def test_a_void_lifts_the_whole_hold_for_good(authoriser: MigsMerchant) -> None:
    number = number_of(authoriser, authoriser.pay())
    void = new_reference()

    told = authoriser.act("voidAuthorisation", number, "15000", reference=void)
    later = [authoriser.act(command, number, "15000") for command in ("capture", "voidAuthorisation", "refund")]

    assert (told["TxnResponseCode"], authoriser.booked(void)) == ("0", [("void", "150.00", "voided")])
    assert [answer["TxnResponseCode"] for answer in later] == ["7", "7", "7"]


def test_the_rules_of_the_books(authoriser: MigsMerchant, merchant: MigsMerchant) -> None:
    held, taken = number_of(authoriser, authoriser.pay()), number_of(merchant, merchant.pay())
    declined = number_of(merchant, merchant.pay(decision="decline"))

    refusals = [
        authoriser.act("refund", held, "100"),  # nothing captured yet
        authoriser.act("capture", held, "15001"),
        authoriser.act("capture", held, "15000", currency="SGD"),
        merchant.act("capture", taken, "15000"),  # taken already
        merchant.act("voidAuthorisation", taken, "15000"),
        merchant.act("refund", taken, "15001"),
        merchant.act("refund", declined, "100"),
        merchant.act("refund", "1", "100"),
        merchant.act("refund", held, "100"),  # another merchant's
    ]

    assert [told["TxnResponseCode"] for told in refusals] == ["7"] * 9
    assert refusals[1]["Message"] == "E5002: The amount is more than what is left to capture"
    assert [merchant.booked(told["MerchTxnRef"])[0][2] for told in refusals] == ["declined"] * 9
    authoriser.act("capture", held, "15000")
    assert authoriser.act("voidAuthorisation", held, "15000")["TxnResponseCode"] == "7"


@pytest.mark.parametrize("command", ["capture", "voidAuthorisation", "refund"])
def test_sixteen_times_the_same_command_is_one(authoriser: MigsMerchant, command: str) -> None:
    number, reference = number_of(authoriser, authoriser.pay()), new_reference()
    if command == "refund":
        authoriser.act("capture", number, "15000")

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: authoriser.act(command, number, "15000", reference=reference), range(16)))

    assert all(answer == told[0] for answer in told)
    assert told[0]["TxnResponseCode"] == "0"
    assert len(authoriser.booked(reference)) == 1


@pytest.mark.parametrize("command", ["capture", "refund"])
def test_sixteen_at_once_never_exceed_what_there_is(authoriser: MigsMerchant, command: str) -> None:
    number = number_of(authoriser, authoriser.pay())
    if command == "refund":
        authoriser.act("capture", number, "15000")

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: authoriser.act(command, number, "6000"), range(16)))

    assert sorted(answer["TxnResponseCode"] for answer in told) == ["0"] * 2 + ["7"] * 14


@pytest.mark.parametrize(
    ("amount", "code", "booked"),
    [("100", "0", "1.00"), ("200", "2", None), ("300", "5", None), ("900", "0", "10.00")],
)
def test_a_test_amount(merchant: MigsMerchant, amount: str, code: str, booked: str | None) -> None:
    told = merchant.act("refund", number_of(merchant, merchant.pay()), amount)

    assert told["TxnResponseCode"] == code
    [(_, in_books, status)] = merchant.booked(told["MerchTxnRef"])
    assert (in_books, status) == ((booked, "completed") if booked else (f"{amount[0]}.00", "declined"))


def test_a_currency_without_decimals_has_its_own_test_amounts(merchant: MigsMerchant) -> None:
    order = merchant.pay("9000", vpc_Currency="VND")

    told = merchant.act("refund", number_of(merchant, order), "2000", currency="VND")

    assert merchant.booked(order["vpc_MerchTxnRef"]) == [("charge", "10000", "completed")]
    assert (told["TxnResponseCode"], told["Amount"]) == ("2", "2000")


def test_a_server_error_comes_twice_and_then_it_works(authoriser: MigsMerchant) -> None:
    number = number_of(authoriser, authoriser.pay())
    capture = authoriser.command("capture", TransNo=number, Amount="500", Currency="MYR")

    statuses = [authoriser.post(capture).status_code for _ in range(3)]

    assert statuses == [500, 500, 200]
    assert authoriser.booked(capture["vpc_MerchTxnRef"]) == [("charge", "5.00", "completed")]


def test_silence_acts_and_breaks_the_connection(authoriser: MigsMerchant) -> None:
    number, reference = number_of(authoriser, authoriser.pay()), new_reference()

    with pytest.raises((requests.ConnectionError, ChunkedEncodingError)):
        authoriser.act("capture", number, "400", reference=reference)

    assert authoriser.send("queryDR", reference)["TxnResponseCode"] == "0"
    assert authoriser.booked(reference) == [("charge", "4.00", "completed")]
