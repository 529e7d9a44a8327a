"""camt.053 of every version and MT940: the balances they state are those of their entries, or the file is refused."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import mt940 as mt940_library
import pytest

from reconciliation.parsers.base import Entry, RefusedFile, Unread
from reconciliation.parsers.camt053 import Camt053Reader
from reconciliation.parsers.entries import EntryParser
from reconciliation.parsers.mt940 import Mt940Reader
from tests.reconciliation.bank_files import IBAN, camt, entry, mt940

ACCOUNTS = {IBAN: "EUR", "JP1": "JPY"}


def read(content: bytes, reader: type[Camt053Reader] | type[Mt940Reader] = Camt053Reader, **options: Any) -> Any:
    found = reader(io.BytesIO(content), EntryParser(ACCOUNTS), **options)
    return found, list(found)


@pytest.mark.parametrize("version", ["02", "03", "04", "05", "06", "07", "08"])
def test_every_version_of_camt_says_the_same(version: str) -> None:
    content = camt(
        entry("150.25", version=version)
        + entry("50.50", "DBIT", reference="B2", end_to_end="NOTPROVIDED", version=version, name="Kedai"),
        version=version,
        closing=("1099.75", "CRDT", "2026-03-02"),
    )

    reader, entries = read(content)

    assert [(x.amount_minor, x.reference, x.end_to_end_id, x.counterparty, x.type_code) for x in entries] == [
        (15_025, "B1", "E2E-1", "FPX", "PMNT/RCDT/ESCT"),
        (-5_050, "B2", "", "Kedai", "PMNT/RCDT/ESCT"),
    ]
    assert entries[0].narrative == "Remittance of the day"
    [balance] = reader.balances
    assert (balance.opening_minor, balance.closing_minor, balance.entry_count) == (100_000, 109_975, 2)
    assert (reader.totals.lines, reader.totals.net, reader.stated) == (2, 9_975, reader.totals)


def test_what_is_not_booked_moves_nothing_and_a_reversal_and_an_exchange_are_told() -> None:
    foreign = "<AmtDtls><InstdAmt><Amt Ccy='USD'>110.00</Amt></InstdAmt></AmtDtls>"
    charges = "<Chrgs><TtlChrgsAndTaxAmt Ccy='EUR'>1.50</TtlChrgsAndTaxAmt></Chrgs>"
    content = camt(
        entry("100.00", more=charges).replace("<RltdPties>", foreign + "<RltdPties>")
        + entry("7.00", status="PDNG", reference="B9")
        + entry("100.00", "DBIT", reference="B3").replace("<Sts>", "<RvslInd>true</RvslInd><Sts>"),
        closing=("1000.00", "CRDT", "2026-03-02"),
    )

    _, entries = read(content)

    first, second = entries
    assert (first.charges_minor, first.instructed_currency, first.instructed_minor) == (150, "USD", 11_000)
    assert (second.reversal, second.amount_minor) == (True, -10_000)


@pytest.mark.parametrize(("said", "reversal"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_reversal_is_written_in_either_way_that_xml_has_for_it(said: str, reversal: bool) -> None:
    content = camt(
        entry("100.00").replace("<Sts>", f"<RvslInd>{said}</RvslInd><Sts>"), closing=("1100.00", "CRDT", "2026-03-02")
    )

    assert [x.reversal for x in read(content)[1] if isinstance(x, Entry)] == [reversal]


def test_charges_in_another_currency_wait_for_a_person() -> None:
    charged = "<Chrgs><TtlChrgsAndTaxAmt Ccy='{}'>10.00</TtlChrgsAndTaxAmt></Chrgs>"
    closing = ("1190.00", "CRDT", "2026-03-02")
    content = camt(
        entry("100.00", more=charged.format("EUR")) + entry("90.00", reference="B2", more=charged.format("USD")),
        closing=closing,
    )

    _, (first, second) = read(content)

    assert (first.charges_minor, type(second)) == (1_000, Unread)
    assert second.reason == "'USD 10.00' is not an amount of EUR"


def test_an_overdrawn_account_and_one_without_decimals() -> None:
    overdrawn = camt(
        entry("30.00", "DBIT"), opening=("20.00", "CRDT", "2026-03-02"), closing=("10.00", "DBIT", "2026-03-02")
    )
    yen = camt(
        entry("150", currency="JPY"),
        account="JP1",
        currency="JPY",
        opening=("0", "CRDT", "2026-03-02"),
        closing=("150", "CRDT", "2026-03-02"),
    )

    assert read(overdrawn)[0].balances[0].closing_minor == -1_000
    assert [x.amount_minor for x in read(yen)[1]] == [150]


SUMMARY = "<TxsSummry><TtlNtries><NbOfNtries>{}</NbOfNtries></TtlNtries><TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>{}</Sum></TtlCdtNtries></TxsSummry>"
ENTITY = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
BOMB = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>"
REFUSED = {
    "balances do not add up": (camt(entry("1.00")), "do not come to the closing balance"),
    "an entry is missing": (camt(entry("1.00"), closing=("1002.00", "CRDT", "2026-03-02")), "do not come to"),
    "count": (camt(entry("1.00"), closing=("1001.00", "CRDT", "2026-03-02"), summary=SUMMARY.format(2, "1.00")), "states 2 entries and has 1"),
    "sum": (camt(entry("1.00"), closing=("1001.00", "CRDT", "2026-03-02"), summary=SUMMARY.format(1, "1.01")), "states credit sum of 1.01"),
    "external entity": (camt("", head=ENTITY), "a document type or an entity"),
    "entity bomb": (camt("", head=BOMB), "a document type or an entity"),
    "other message": (camt("").replace(b"camt.053", b"camt.052"), "is not a Document of camt.053.001.02 to 001.08"),
    "other version": (camt("", version="09"), "is not a Document"),
    "cut off": (camt(entry("1.00"))[:-40], "not well-formed"),
    "empty": (b"", "not well-formed"),
    "not XML": (b"H,FPX", "not well-formed"),
    "unknown account": (camt("", account="XX1"), "account 'XX1' is not one of this source's"),
    "other currency": (camt("", currency="USD"), "we have it in EUR"),
    "no opening balance": (camt("").replace(b"OPBD", b"XXXX"), "has no opening"),
    "a page of several": (camt("<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>").replace(b"</Ccy>", b"</Ccy>"), "beside another one"),
    "no statement": (camt("").replace(b"<Stmt>", b"<Rpt>").replace(b"</Stmt>", b"</Rpt>"), "has no statement"),
    "a balance that is no amount": (camt("", opening=("1,000.00", "CRDT", "2026-03-02")), "the OPBD balance"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED)
def test_camt_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedFile) as refused:
        read(content)

    assert problem in str(refused.value)


UNREAD = {
    "amount": (entry("1,00"), "'1,00' is not an amount of EUR"),
    "too many decimals": (entry("1.005"), "is not an amount of EUR"),
    "nothing": (entry("0.00"), "an AMOUNT of nothing"),
    "currency": (entry("1.00", currency="USD"), "CURRENCY 'USD' on an account in EUR"),
    "side": (entry("1.00", "BOTH"), "is neither C nor D"),
    "date": (entry("1.00", day="2026-02-30"), "is not a date"),
    "outside its days": (entry("1.00", day="2026-03-04"), "in a statement of 2026-03-02 to 2026-03-02"),
}


@pytest.mark.parametrize(("bad", "problem"), UNREAD.values(), ids=UNREAD)
def test_an_entry_that_cannot_be_read_is_set_aside(bad: str, problem: str) -> None:
    reader, items = read(camt(entry("5.00", reference="B7") + bad, closing=("1006.00", "CRDT", "2026-03-02")))

    good, unread = items
    assert isinstance(good, Entry)
    assert isinstance(unread, Unread)
    assert problem in unread.reason
    assert (reader.unread, reader.totals.lines, reader.stated.lines, reader.stated.net) == (1, 1, 2, 600)


def test_mt940_with_structured_and_plain_information() -> None:
    content = mt940(
        [
            ":61:2603020302C150,25NTRFNONREF//BANKREF1",
            ":86:166?00GUTSCHRIFT?10931?20EREF+FPX-SE1-20260302?21SVWZ+Remittance?22 of the day?32FPX SDN?33 BHD",
            ":61:2603020302D50,5NMSCORDER1//BANKREF2",
            "supplementary details",
            ":86:/EREF/PO-77/NAME/Kedai Satu/REMI/Payout 77",
            ":61:260302RC0,25NTRFREF3",
        ],
        closing="C260302EUR1099,50",
    )

    reader, entries = read(content, Mt940Reader)

    assert [
        (x.amount_minor, x.reference[:8], x.end_to_end_id, x.counterparty, x.type_code, x.reversal) for x in entries
    ] == [
        (15_025, "BANKREF1", "FPX-SE1-20260302", "FPX SDN BHD", "NTRF", False),
        (-5_050, "BANKREF2", "PO-77", "Kedai Satu", "NMSC", False),
        (-25, "made-" + entries[2].reference[5:8], "REF3", "", "NTRF", True),
    ]
    assert "SVWZ+Remittance of the day" in entries[0].narrative
    assert reader.balances[0].closing_minor == 109_950
    assert {x.booked_on for x in entries} == {date(2026, 3, 2)}


def test_an_entry_of_new_year_s_eve_is_booked_in_the_year_nearest_to_its_value_date() -> None:
    content = mt940([":61:2601021231C1,00NTRFNONREF//R1"], opening="C251231EUR0,00", closing="C260102EUR1,00")

    assert read(content, Mt940Reader)[1][0].booked_on == date(2025, 12, 31)


def test_a_statement_in_two_messages_goes_on_where_it_was() -> None:
    first = mt940([":61:260302C1,00NTRFNONREF//R1"], closing="C260302EUR1001,00").replace(b":62F:", b":62M:")
    second = mt940([":61:260302C2,00NTRFNONREF//R2"], opening="C260302EUR1001,00", closing="C260302EUR1003,00")

    reader, entries = read(first + second.replace(b":60F:", b":60M:"), Mt940Reader)

    assert ([x.amount_minor for x in entries], len(reader.balances)) == ([100, 200], 2)
    for spoilt in (
        first,
        first + second,
        first + second.replace(b":60F:", b":60M:").replace(b"M:C260302EUR1001", b"M:C260302EUR1002"),
    ):
        with pytest.raises(RefusedFile):
            read(spoilt, Mt940Reader)


def test_mt940_in_swift_blocks_and_in_the_declared_encoding() -> None:
    text = mt940([":61:260302C1,00NTRFNONREF//R1", ":86:M\xfcller"], closing="C260302EUR1001,00").decode()
    content = ("{1:F01BANKDEFFAXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\r\n" + text.replace("-\r\n", "-}\r\n")).encode(
        "latin-1"
    )

    assert read(content, Mt940Reader, encoding="iso-8859-1")[1][0].narrative == "Müller"
    with pytest.raises(RefusedFile, match="not UTF-8"):
        read(content, Mt940Reader)


ONE = ":61:260302C1,00NTRFNONREF//R1"
MT_REFUSED = {
    "balances": (mt940([ONE]), "do not come to the closing balance"),
    "no closing": (mt940([ONE]).replace(b":62F:", b":64:"), "before a closing balance"),
    "no opening": (mt940([ONE]).replace(b":60F:", b":64:"), "outside its balances"),
    "unknown account": (mt940([], account="X"), "is not one of this source's"),
    "other currency": (mt940([], opening="C260302USD1000,00"), "a balance in USD"),
    "a balance with a point": (mt940([], opening="C260302EUR1000.00"), "is not a balance"),
    "empty": (b"", "line 1: the file is empty"),
    "not MT940": (b"H,FPX,ALL,2026-03-02\r\n", "belongs to no field"),
    "NUL": (mt940([]).replace(b"STARTUMS", b"START\0UMS"), "a NUL byte"),
    "byte order mark": (b"\xef\xbb\xbf" + mt940([]), "byte order mark"),
    "UTF-16": (mt940([]).decode().encode("utf-16"), "not UTF-8"),
    "a long line": (mt940([":86:" + "x" * 70_000]), "longer than"),
}


@pytest.mark.parametrize(("content", "problem"), MT_REFUSED.values(), ids=MT_REFUSED)
def test_mt940_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedFile) as refused:
        read(content, Mt940Reader)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "bad", [":61:26030C1,00NTRF", ":61:260302C1.00NTRFNONREF", ":61:260230C1,00NTRFNONREF", ":61:260302C0,00NTRFX"]
)
def test_an_mt940_entry_that_cannot_be_read_is_set_aside(bad: str) -> None:
    reader, items = read(mt940([ONE, bad], closing="C260302EUR1003,00"), Mt940Reader)

    assert [type(x) for x in items] == [Entry, Unread]
    assert (reader.stated.lines, reader.stated.net) == (2, 300)


def test_an_independent_reader_of_mt940_finds_the_same_amounts_and_balances() -> None:
    content = mt940(
        [
            ":61:2603020302C150,25NTRFNONREF//BANKREF1",
            ":86:Remittance of the day",
            ":61:2603020302D50,5NMSCORDER1//BANKREF2",
            ":86:Payout 77",
            ":61:2603010301RC0,25NTRFREF3//BANKREF3",
            ":61:260302C1000000,NTRFNONREF//BANKREF4",
        ],
        opening="C260301EUR1000,00",
        closing="C260302EUR1001099,50",
    )

    reader, entries = read(content, Mt940Reader)
    theirs = mt940_library.parse(content.decode())

    assert [x.amount_minor for x in entries if not x.reversal] == [
        int(x.data["amount"].amount * 100) for x in theirs if x.data["status"] in ("C", "D")
    ]
    assert [abs(x.amount_minor) for x in entries] == [abs(int(x.data["amount"].amount * 100)) for x in theirs]
    assert [x.booked_on for x in entries] == [x.data.get("guessed_entry_date", x.data["date"]) for x in theirs]
    stated = theirs.data["final_opening_balance"], theirs.data["final_closing_balance"]
    [balance] = reader.balances
    assert (balance.opening_minor, balance.closing_minor) == tuple(int(x.amount.amount * 100) for x in stated)
