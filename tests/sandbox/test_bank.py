"""The sandbox's bank: providers remit the day after, payments go out once, some come back, and the books are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from xml.etree.ElementTree import fromstring

import pytest
import requests

from sandbox.bank.records import TEST_ACCOUNT
from sandbox.clock import local, utc_now
from tests.support.sandbox_process import SandboxProcess

PAIN = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>
<GrpHdr><MsgId>{message}</MsgId><NbOfTxs>{count}</NbOfTxs></GrpHdr>
<PmtInf><DbtrAcct><Id><Othr><Id>{account}</Id></Othr></Id></DbtrAcct>{orders}</PmtInf></CstmrCdtTrfInitn></Document>"""
ORDER = """<CdtTrfTxInf><PmtId><EndToEndId>{id}</EndToEndId></PmtId><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt>
<Cdtr><Nm>Kedai &amp; Co</Nm></Cdtr><RmtInf><Ustrd>Payout {id}</Ustrd></RmtInf></CdtTrfTxInf>"""
NS = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}"


@pytest.fixture
def bank(own_sandbox: Callable[..., SandboxProcess]) -> SandboxProcess:
    return own_sandbox()


def pain(*orders: tuple[str, str], message: str = "M1", account: str = TEST_ACCOUNT, currency: str = "MYR") -> str:
    text = "".join(ORDER.format(id=id_, amount=amount, currency=currency) for id_, amount in orders)
    return PAIN.format(message=message, count=len(orders), account=account, orders=text)


def send(sandbox: SandboxProcess, body: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/bank/payments", data=body.encode(), timeout=10)


def booked(sandbox: SandboxProcess, day: date) -> list[tuple[str, str, str]]:
    """(side, amount, end-to-end id) of the test account's entries, after checking that the balances add up."""
    response = requests.get(f"{sandbox.url}/bank/statements/{day}?account={TEST_ACCOUNT}", timeout=10)
    statement = fromstring(response.content).find(f"{NS}BkToCstmrStmt/{NS}Stmt")
    assert statement is not None
    return [
        (
            entry.findtext(f"{NS}CdtDbtInd", ""),
            entry.findtext(f"{NS}Amt", ""),
            entry.findtext(f"{NS}NtryDtls/{NS}TxDtls/{NS}Refs/{NS}EndToEndId", ""),
        )
        for entry in statement.findall(f"{NS}Ntry")
    ]


def test_payments_go_out_once_and_a_declined_one_comes_back(bank: SandboxProcess) -> None:
    before = local(utc_now()).date()
    first = send(bank, pain(("P1", "10.50"), ("P2", "2.00")))
    again = send(bank, pain(("P1", "10.50"), ("P2", "2.00"), ("P3", "1.00")))

    assert (first.status_code, first.json()["booked"], first.json()["repeated"]) == (202, 2, 0)
    assert (again.json()["booked"], again.json()["repeated"]) == (1, 2)
    days = {date.fromisoformat(answer.json()["day"]) for answer in (first, again)} | {before}
    entries = [entry for day in sorted(days) for entry in booked(bank, day)]
    assert entries == [
        ("DBIT", "10.50", "P1"),
        ("DBIT", "2.00", "P2"),
        ("CRDT", "2.00", "P2"),
        ("DBIT", "1.00", "P3"),
    ]
    bank.stop()
    bank.start()
    assert [entry for day in sorted(days) for entry in booked(bank, day)] == entries
    assert booked(bank, max(days) + timedelta(days=1)) == []


def test_a_message_that_is_wrong_anywhere_books_nothing(bank: SandboxProcess) -> None:
    today = local(utc_now()).date()
    for body in (
        "<x/>",
        "not xml",
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        pain(("P1", "10.50")).replace("<NbOfTxs>1", "<NbOfTxs>2"),
        pain(("P1", "10.50"), account="999"),
        pain(("P1", "10.5.0")),
        pain(("P1", "0.00")),
        pain(("P1", "1.00"), currency="USD"),
        pain(("P1", "1.00"), message=""),
    ):
        answer = send(bank, body)
        assert (answer.status_code, answer.json()["status"]) == (400, "RJCT")

    assert booked(bank, today) == []
    assert requests.get(f"{bank.url}/bank/statements/today", timeout=10).status_code == 400
    assert requests.get(f"{bank.url}/bank/statements/{today}?account=1", timeout=10).status_code == 404
