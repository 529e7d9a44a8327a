"""MIGS: vpcpay, the card page, the result by redirect and by notification, queryDR."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.merchants import MigsMerchant, new_reference, nvp


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_approved_order_is_told_twice_and_booked_once(merchant: MigsMerchant, method: str) -> None:
    order = merchant.order()

    answer = merchant.payer(merchant.action(order, method)).json()

    assert answer["status"] == 200
    assert answer["finalUrl"].startswith(f"{merchant.receiver.url}/return?shop=1&vpc_")
    notified, returned = merchant.receiver.called_back(), merchant.receiver.came_back()
    assert returned == notified | {"shop": "1"}
    told = merchant.read(notified)
    assert (told["TxnResponseCode"], told["Amount"], told["Currency"]) == ("0", "15000", "MYR")
    assert (told["MerchTxnRef"], told["OrderInfo"], told["Card"]) == (
        order["vpc_MerchTxnRef"],
        "Licence + permit",
        "VC",
    )
    [entry] = merchant.books(reference=order["vpc_MerchTxnRef"])
    assert entry["providerReference"] == told["TransactionNo"]
    assert (entry["kind"], entry["amount"], entry["status"]) == ("charge", "150.00", "completed")


def test_the_card_page_asks_for_no_card_number(merchant: MigsMerchant) -> None:
    action = merchant.action(merchant.order())

    page = requests.post(action["url"], data=action["fields"], timeout=10).text

    assert "MYR 150.00" in page
    assert '<option value="VC">Visa test card ending 4242</option>' in page
    assert "<input" not in page


@pytest.mark.parametrize(("decision", "code"), [("decline", "2"), ("cancel", "C")])
def test_a_payer_who_does_not_pay(merchant: MigsMerchant, decision: str, code: str) -> None:
    order = merchant.pay(decision=decision)

    assert merchant.read(merchant.receiver.called_back())["TxnResponseCode"] == code
    assert merchant.booked(order["vpc_MerchTxnRef"]) == [("charge", "150.00", "declined")]


def test_the_state_of_an_order_can_be_asked(merchant: MigsMerchant) -> None:
    opened, paid = merchant.pay(decision="leave"), merchant.pay()
    questions = [opened["vpc_MerchTxnRef"], paid["vpc_MerchTxnRef"], new_reference()]

    answers = [merchant.send("queryDR", reference) for reference in questions]

    assert [(told["DRExists"], told["TxnResponseCode"]) for told in answers] == [("Y", "P"), ("Y", "0"), ("N", "7")]
    assert {told["FoundMultipleDRs"] for told in answers} == {"N"}
    result = merchant.read(merchant.receiver.called_back())
    assert {name: answers[1][name] for name in result if "Hash" not in name} == {
        name: value for name, value in result.items() if "Hash" not in name
    }


def test_sixteen_payers_of_one_order_are_charged_once(merchant: MigsMerchant) -> None:
    order = merchant.order()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: merchant.payer(merchant.action(order)).json(), range(16)))

    assert len({answer["finalUrl"] for answer in answers}) == 1
    assert merchant.booked(order["vpc_MerchTxnRef"]) == [("charge", "150.00", "completed")]
    merchant.receiver.called_back()
    assert merchant.receiver.direct.empty()


_FORGED = {
    "another amount": {"vpc_Amount": "100"},
    "no hash": {"vpc_SecureHash": ""},
    "no hash type": {"vpc_SecureHashType": ""},
    "another merchant": {"vpc_Merchant": "MIGS00"},
    "a field more": {"user_extra": "1"},
}


@pytest.mark.parametrize("change", _FORGED.values(), ids=_FORGED)
def test_an_order_that_is_not_genuine_is_not_taken(merchant: MigsMerchant, change: dict[str, str]) -> None:
    order = merchant.order()

    page = requests.post(f"{merchant.url}/vpcpay", data=merchant.signed(order) | change, timeout=10)

    assert (page.status_code, "decision" in page.text) == (400, False)
    assert merchant.send("queryDR", order["vpc_MerchTxnRef"])["DRExists"] == "N"


@pytest.mark.parametrize(
    "change",
    [
        {"vpc_AccessCode": "00000000"},
        {"vpc_Amount": "0"},
        {"vpc_Amount": "1.50"},
        {"vpc_Amount": "015"},
        {"vpc_Currency": "XXX"},
        {"vpc_Currency": "myr"},
        {"vpc_MerchTxnRef": ""},
        {"vpc_ReturnURL": "javascript:alert(1)"},
        {"vpc_ReturnURL": "http://["},
        {"vpc_Command": "refund"},
    ],
    ids=str,
)
def test_a_signed_order_that_cannot_be_read_is_refused(merchant: MigsMerchant, change: dict[str, str]) -> None:
    action = merchant.action(merchant.order(**change), "GET")

    assert requests.get(action["url"], params=action["fields"], timeout=10).status_code == 400


def test_a_query_needs_hash_user_and_password(merchant: MigsMerchant) -> None:
    reference = merchant.pay()["vpc_MerchTxnRef"]
    query = merchant.command("queryDR", reference)
    forged = requests.post(f"{merchant.url}/vpcdps", data=merchant.signed(query) | {"vpc_User": "x"}, timeout=10)
    answers = [nvp(forged), *(nvp(merchant.post(query | {name: "x"})) for name in ("vpc_User", "vpc_Password"))]

    assert [(told["vpc_TxnResponseCode"], told["vpc_Message"]) for told in answers] == [
        ("7", "E5009: Secure hash is wrong"),
        ("7", "E5014: User or password is wrong"),
        ("7", "E5014: User or password is wrong"),
    ]
    assert not any("vpc_DRExists" in told for told in answers)
