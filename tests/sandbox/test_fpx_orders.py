"""FPX: AR, the bank page, AC direct and indirect, AE, BE."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.merchants import FpxSeller, nvp
from tests.sandbox.receiver import Receiver


def test_the_bank_page_says_who_gets_what_and_asks(seller: FpxSeller) -> None:
    page = requests.post(**_visit(seller, seller.order()), timeout=10)

    assert page.status_code == 200
    for text in (
        seller.account["sellerId"],
        "MYR 150.00",
        "Bank Merantau",
        "Licence &lt;renewal&gt;",
        'value="decline"',
    ):
        assert text in page.text
    assert "<select" not in page.text


def test_without_a_bank_the_page_offers_the_banks(seller: FpxSeller) -> None:
    page = requests.post(**_visit(seller, seller.order(buyerBankId="")), timeout=10).text

    assert '<select name="bank"><option value="MERA0101">Bank Merantau</option>' in page
    assert '<option value="NUSA0108" disabled>Nusajaya Bank (offline)</option>' in page


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_an_approved_order_is_told_twice_and_booked_once(sandbox_url: str, receiver: Receiver, hash_name: str) -> None:
    seller = FpxSeller.open(sandbox_url, receiver, hash_name)

    order = seller.pay(buyerBankId="")

    direct, indirect = seller.read(receiver.called_back()), seller.read(receiver.came_back())
    assert direct == indirect == seller.enquire(order)
    assert (direct["msgType"], direct["debitAuthCode"], direct["creditAuthCode"]) == ("AC", "00", "00")
    assert (direct["txnAmount"], direct["txnCurrency"]) == ("150.00", "MYR")
    assert (direct["buyerBankId"], direct["buyerName"]) == ("MERA0101", "Aisyah & Söhne")
    assert direct["sellerExOrderNo"] == order["sellerExOrderNo"]
    [entry] = seller.books(reference=order["sellerExOrderNo"])
    assert entry["providerReference"] == direct["fpxTxnId"]
    assert (entry["kind"], entry["amount"], entry["currency"], entry["status"]) == (
        "charge",
        "150.00",
        "MYR",
        "completed",
    )


@pytest.mark.parametrize(("decision", "code"), [("decline", "57"), ("cancel", "1C")])
def test_a_payer_who_does_not_pay(seller: FpxSeller, decision: str, code: str) -> None:
    order = seller.pay(decision=decision)

    assert seller.read(seller.receiver.called_back())["debitAuthCode"] == code
    assert seller.enquire(order)["debitAuthCode"] == code
    assert seller.booked(order["sellerExOrderNo"]) == [("charge", "150.00", "declined")]


@pytest.mark.parametrize(
    ("bank", "token", "decision", "code"),
    [
        ("TEST0001", "01", "decline", "00"),
        ("TEST0002", "01", "approve", "57"),
        ("TEST0002", "02", "approve", "57"),
        ("NUSA0108", "01", "approve", "90"),  # offline
        ("MERA0101", "02", "approve", "31"),  # not on the companies' list
        ("MERA0201", "02", "approve", "00"),
    ],
)
def test_the_bank_decides(seller: FpxSeller, bank: str, token: str, decision: str, code: str) -> None:
    order = seller.pay(decision=decision, buyerBankId=bank, msgToken=token)

    assert seller.enquire(order)["debitAuthCode"] == code


def test_a_bank_that_never_answers_leaves_the_order_pending(seller: FpxSeller) -> None:
    order = seller.order(buyerBankId="TEST0003")

    answer = seller.payer(seller.action(order)).json()

    assert answer["status"] == 504
    assert seller.enquire(order)["debitAuthCode"] == "09"
    assert seller.booked(order["sellerExOrderNo"]) == []


def test_an_open_order_is_pending_and_an_unknown_one_is_not_found(seller: FpxSeller) -> None:
    opened = seller.pay(decision="leave")

    assert seller.enquire(opened)["debitAuthCode"] == "09"
    unknown = seller.enquire(seller.order())
    assert (unknown["debitAuthCode"], unknown["fpxTxnId"]) == ("76", "")


def test_sixteen_payers_of_one_order_are_charged_once(seller: FpxSeller) -> None:
    order = seller.order()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: seller.payer(seller.action(order)).json(), range(16)))

    assert {answer["status"] for answer in answers} == {200}
    assert seller.booked(order["sellerExOrderNo"]) == [("charge", "150.00", "completed")]
    assert {seller.receiver.came_back()["fpx_fpxTxnId"] for _ in range(16)} == {seller.enquire(order)["fpxTxnId"]}
    assert seller.receiver.called_back()["fpx_debitAuthCode"] == "00"
    assert seller.receiver.direct.empty()


def test_a_known_order_is_shown_as_it_is_whatever_the_second_one_asks(seller: FpxSeller) -> None:
    order = seller.pay(decision="decline")

    seller.payer(seller.action({**order, "txnAmount": "1.00"}))

    assert seller.booked(order["sellerExOrderNo"]) == [("charge", "150.00", "declined")]


_FORGED = {
    "another amount": {"fpx_txnAmount": "1.50"},
    "no checksum": {"fpx_checkSum": ""},
    "lower-case checksum": {"fpx_checkSum": "lower"},
    "another seller": {"fpx_sellerId": "SE00000000"},
    "another exchange": {"fpx_sellerExId": "EX00000000"},
    "one field more": {"fpx_extra": "1"},
}


@pytest.mark.parametrize("change", _FORGED.values(), ids=_FORGED)
def test_a_message_that_is_not_genuine_does_nothing(seller: FpxSeller, change: dict[str, str]) -> None:
    order = seller.order()
    forged = seller.signed(order)
    forged |= {k: forged[k].lower() if v == "lower" else v for k, v in change.items()}

    page = requests.post(f"{seller.url}/FPXMain/seller2DReceiver.jsp", data=forged, timeout=10)

    assert (page.status_code, "decision" in page.text) == (400, False)
    assert seller.enquire(order)["debitAuthCode"] == "76"
    enquiry = seller.signed({**order, "msgType": "AE"})
    enquiry |= {k: enquiry[k].lower() if v == "lower" else v for k, v in change.items()}
    assert requests.post(f"{seller.url}/FPXMain/sellerNVPTxnStatus.jsp", data=enquiry, timeout=10).text == "ERROR"


@pytest.mark.parametrize(
    "change",
    [
        {"txnAmount": "0.00"},
        {"txnAmount": "1.5"},
        {"txnAmount": "-1.00"},
        {"txnCurrency": "USD"},
        {"sellerExOrderNo": ""},
        {"sellerTxnTime": "today"},
        {"version": "6.0"},
        {"msgToken": "03"},
        {"msgType": "AE"},
    ],
    ids=str,
)
def test_a_signed_order_that_cannot_be_read_is_refused(seller: FpxSeller, change: dict[str, str]) -> None:
    assert requests.post(**_visit(seller, seller.order(**change)), timeout=10).status_code == 400


def test_the_bank_lists(seller: FpxSeller) -> None:
    lists = {}
    for token in ("01", "02"):
        question = {"msgType": "BE", "msgToken": token, "sellerExId": seller.account["exchangeId"], "version": "7.0"}
        answer = seller.read(nvp(seller.post("RetrieveBankList", question)))
        assert (answer["msgType"], answer["msgToken"]) == ("BC", token)
        lists[token] = dict(bank.split("~") for bank in answer["bankList"].split(","))

    assert len(lists["01"]) == 15
    assert list(lists["01"].values()).count("B") == 2
    assert {"TEST0001", "TEST0002", "TEST0003"} == lists["01"].keys() & lists["02"].keys()
    forged = {"fpx_msgType": "BE", "fpx_msgToken": "01", "fpx_sellerExId": "EX1", "fpx_version": "7.0"}
    assert requests.post(f"{seller.url}/FPXMain/RetrieveBankList", data=forged, timeout=10).text == "ERROR"


def _visit(seller: FpxSeller, order: dict[str, str]) -> dict[str, object]:
    action = seller.action(order)
    return {"url": action["url"], "data": action["fields"]}
