"""A month for bench/reconciliation.py: payments by SQL, the statements of two providers and a bank as files, and what should be found in them.

Of 30 days (or another number) payment n is the k-th of its day (day n mod 30, k = n div 30); of five in a row three go through fpx and two through migs. In every four hundred
there is one break of each kind at each provider. The bank has its own, by the day of the remittance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import IO

FIRST = date(2026, 3, 2)
LATE = 5  # days after the month, until everything that is late is late
EVERY = 400
KINDS = (
    "MISSING_AT_PROVIDER",
    "MISSING_IN_BOOKS",
    "AMOUNT_MISMATCH",
    "FEE_MISMATCH",
    "STATUS_MISMATCH",
    "DUPLICATE_LINE",
    "CURRENCY_MISMATCH",
    "AMBIGUOUS",
    "PARTNER",  # the other operation of an AMBIGUOUS one
)
ACCOUNTS = {"fpx": "SE1", "migs": "TESTSHOP"}
BANK, BANK_ACCOUNT = "bank", "5140001"
WEEKEND = (4, 5, 6)  # of seven days: one sum for three

# ref(n) and money(n) in SQL and below have to say the same.
PAYMENTS = """
CREATE TEMPORARY TABLE plan AS
SELECT n, n / %(days)s AS k, %(first)s::timestamptz + (n %% %(days)s) * interval '1 day' AS at,
       CASE WHEN n / %(days)s %% 5 < 3 THEN 'fpx' ELSE 'migs' END AS provider,
       CASE WHEN n / %(days)s %% 5 IN (1, 3) THEN n / %(days)s %% 400 / 5 END AS kind,
       'EPG' || n || substr(md5(n::text), 1, 8) AS reference,
       1000 + (CASE WHEN n / %(days)s %% 5 IN (1, 3) AND n / %(days)s %% 400 / 5 = 9 THEN n - 5 * %(days)s ELSE n END) %% 90000 AS minor
FROM generate_series(%(days)s, %(count)s + %(days)s - 1) n;
INSERT INTO transaction (id, merchant_id, live, channel, method, status, version, currency, amount_minor, amount_authorized_minor,
    amount_captured_minor, amount_refunded_minor, amount_refund_pending_minor, content_hash, description, metadata, extra_fields,
    payer_name, payer_email, payer_phone, return_url, failure_code, failure_reason, expires_at, created_at, updated_at)
SELECT 'txn_' || n, %(merchant)s, false, 'api', provider, 'COMPLETED', 2, 'MYR', minor, minor, minor, 0, 0, '', '', '{}', '{}',
    '', '', '', '', '', '', at, at, at
FROM plan;
INSERT INTO payment (id, transaction_id, attempt, provider_account_id, state, payment_trans_id, currency, amount_minor, fee_minor,
    bank_code, business_banking, approval_code, bank_reference, provider_reference, failure_code, failure_reason, created_at, updated_at)
SELECT 'pay_' || n, 'txn_' || n, 1, CASE provider WHEN 'fpx' THEN %(fpx)s ELSE %(migs)s END, 'CAPTURED', reference, 'MYR', minor, 0, '', false,
    '', '', 'F' || n, '', '', at, at
FROM plan;
INSERT INTO operation (id, payment_id, kind, state, reference, currency, amount_minor, sends, look_ups, due_at, provider_code,
    provider_reason, provider_reference, reply, created_at, ended_at, final)
SELECT 'op_' || n, 'pay_' || n, 'SALE', CASE WHEN kind = 5 THEN 'PENDING' ELSE 'SUCCEEDED' END, reference, 'MYR', minor, 0, 0,
    CASE WHEN kind = 5 THEN at END, '00', '',
    CASE kind WHEN 8 THEN 'A' || n WHEN 9 THEN 'A' || (n - 5 * %(days)s) ELSE 'F' || n END, '{}', at, CASE WHEN kind = 5 THEN NULL ELSE at END, true
FROM plan;
DROP TABLE plan;
"""

Found = tuple[str, str, str]  # kind; what the provider or the bank calls the line; what we call ours


@dataclass
class Remitted:
    """What a provider's file of a day comes to in one currency."""

    provider: str
    day: date
    currency: str
    net: int


@dataclass
class Month:
    """Where the files are, and the answer key: (kind, their reference, ours)."""

    folder: Path
    days: int
    planted: set[Found] = field(default_factory=set)
    remitted: list[Remitted] = field(default_factory=list)
    size: int = 0

    def file(self, source: str, day: date) -> Path:
        return self.folder / f"{source}-{day}"


def write_month(folder: Path, count: int, days: int) -> Month:
    """Write all files; the lines alone, as a table, to `plain.csv`."""
    month = Month(folder, days)
    with (folder / "plain.csv").open("w") as plain:
        for number in range(days):
            for provider in ACCOUNTS:
                _write_day(month, plain, provider, number, count)
    _write_bank(month)
    month.size = sum(path.stat().st_size for path in folder.iterdir())
    return month


def _reference(n: int) -> str:
    return f"EPG{n}{hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest()[:8]}"


def _kind(k: int) -> str:
    number = k % EVERY // 5
    return KINDS[number - 1] if k % 5 in (1, 3) and 1 <= number <= len(KINDS) else ""


def _fee(provider: str, minor: int) -> int:
    return 50 if provider == "fpx" else (minor * 300 + 10_000) // 20_000


def _money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _lines(month: Month, provider: str, number: int, count: int) -> Iterator[tuple[str, str, int, int, str]]:
    """(provider's reference, ours, amount, fee, currency) of a day's lines; plants what should be found."""
    for n in range(month.days + number, count + month.days, month.days):
        k = n // month.days
        if (k % 5 < 3) != (provider == "fpx"):
            continue
        kind, ours, theirs, minor = _kind(k), _reference(n), f"F{n}", 1000 + n % 90_000
        fee, currency = _fee(provider, minor), "MYR"
        match kind:
            case "MISSING_AT_PROVIDER":
                month.planted.add((kind, "", ours))
                continue
            case "PARTNER":
                continue
            case "MISSING_IN_BOOKS":
                month.planted.add((kind, f"S{n}", ""))
                yield f"S{n}", f"STRANGER{n}", minor, fee, currency
            case "DUPLICATE_LINE":
                month.planted.add((kind, f"F{n}", ours))
                yield f"D{n}", ours, minor, fee, currency
            case "AMOUNT_MISMATCH":
                minor += 1
                fee = _fee(provider, minor)
            case "FEE_MISMATCH":
                fee += 1
            case "CURRENCY_MISMATCH" if provider == "migs":
                currency = "USD"
            case "CURRENCY_MISMATCH":
                kind = ""
            case "AMBIGUOUS":
                ours, theirs = f"UNKNOWN{n}", f"A{n}"
                partner = n + 5 * month.days
                if partner < count + month.days:
                    month.planted |= {(kind, theirs, _reference(n)), (kind, theirs, _reference(partner))}
                kind = ""
        if kind in ("AMOUNT_MISMATCH", "FEE_MISMATCH", "STATUS_MISMATCH", "CURRENCY_MISMATCH"):
            month.planted.add((kind, theirs, ours))
        yield theirs, ours, minor, fee, currency


def _write_day(month: Month, plain: IO[str], provider: str, number: int, count: int) -> None:
    day, account = FIRST + timedelta(days=number), ACCOUNTS[provider]
    lines = amounts = fees = 0
    nets: dict[str, int] = {}
    with month.file(provider, day).open("w") as file:
        file.write(f"H,{provider.upper()},{account},{day}\n{HEADERS[provider]}\n")
        for theirs, ours, minor, fee, currency in _lines(month, provider, number, count):
            money = f"{_money(minor)},{_money(fee)},{_money(minor - fee)}"
            at = f"{day}T12:00:00+08:00"
            if provider == "fpx":
                file.write(f"PAYMENT,{account},{theirs},{ours},{at},TEST0001,{currency},{money},00\n")
            else:
                file.write(f"PURCHASE,{account},{theirs},{ours},order {theirs},{at},VC,{currency},{money},0\n")
            plain.write(f"PAYMENT,{account},{theirs},{ours},{at},x,{currency},{money},00\n")
            lines, amounts, fees = lines + 1, amounts + minor, fees + fee
            nets[currency] = nets.get(currency, 0) + minor - fee
        file.write(f"T,{lines},{_money(amounts)},{_money(fees)},{_money(amounts - fees)}\n")
    month.remitted += [Remitted(provider, day, currency, net) for currency, net in sorted(nets.items())]


HEADERS = {
    "fpx": "TXN_TYPE,SELLER_ID,FPX_TXN_ID,SELLER_EX_ORDER_NO,TXN_TIME,BUYER_BANK,CURRENCY,AMOUNT,FEE,NET,STATUS",
    "migs": "TYPE,MERCHANT_ID,TRANSACTION_NO,MERCH_TXN_REF,ORDER_INFO,TIME,CARD_TYPE,CURRENCY,GROSS,MDR,NET,RESPONSE_CODE",
}


@dataclass
class _Entry:
    reference: str
    minor: int
    text: str
    charges: int = 0
    instructed: tuple[str, int] | None = None


def _write_bank(month: Month) -> None:
    """One camt.053 a day: what the providers' remittances become on the account, and what goes wrong with them."""
    entries: dict[int, list[_Entry]] = {number: [] for number in range(month.days + LATE)}
    weekend: list[Remitted] = []
    for number, remitted in sorted(((x.day - FIRST).days, x) for x in month.remitted if x.net and x.provider == "fpx"):
        if number % 7 in WEEKEND:
            weekend.append(remitted)
            if number % 7 == WEEKEND[-1] or number == month.days - 1:
                text = " ".join(["REMITTANCE FPX SE1", *(str(x.day) for x in weekend)])
                entries[number + 1].append(_Entry(f"W{number}", sum(x.net for x in weekend), text))
                weekend = []
            continue
        entries[number + 1] += _fpx_entries(month, number, remitted)
    for remitted in (x for x in month.remitted if x.net and x.provider == "migs"):
        number = (remitted.day - FIRST).days
        text = f"REMITTANCE MIGS TESTSHOP {remitted.day}"
        if remitted.currency == "MYR":
            entries[number + 1].append(_Entry(f"M{number}", remitted.net, text))
        else:
            booked = remitted.net * 42 // 10
            entries[number + 1].append(_Entry(f"U{number}", booked, text, instructed=(remitted.currency, remitted.net)))
    opening = 0
    for number, of_day in entries.items():
        closing = opening + sum(entry.minor for entry in of_day)
        month.file(BANK, FIRST + timedelta(days=number)).write_text(_camt(number, of_day, opening, closing))
        opening = closing


def _fpx_entries(month: Month, number: int, remitted: Remitted) -> list[_Entry]:
    text, ours, net = f"REMITTANCE FPX SE1 {remitted.day}", f"fpx {remitted.day}", remitted.net
    match number:
        case 3:
            month.planted.add(("MISSING_AT_PROVIDER", "", ours))
            return []
        case 8:
            month.planted.add(("AMOUNT_MISMATCH", "B8", ours))
            return [_Entry("B8", net + 100, text)]
        case 10:
            month.planted.add(("DUPLICATE_LINE", "B10-2", ours))
            return [_Entry("B10", net, text), _Entry("B10-2", net, text)]
        case 15:
            month.planted.add(("CURRENCY_MISMATCH", "B15", ours))
            return [_Entry("B15", net * 42 // 10, text, instructed=("USD", net))]
        case 16:
            month.planted |= {("AMBIGUOUS", "B16", ours), ("AMBIGUOUS", "B16-2", ours)}
            return [_Entry("B16", net, "TRANSFER"), _Entry("B16-2", net, "TRANSFER")]
        case 22:
            month.planted.add(("MISSING_IN_BOOKS", "B22-2", ""))
            return [_Entry("B22", net, text), _Entry("B22-2", 12_345, "SOMEBODY ELSE")]
        case 23:
            return [_Entry("B23", net - 1_000, text), _Entry("B23-2", 1_000, text)]
        case 24:
            return [_Entry("B24", net - 150, text, charges=150)]
    return [_Entry(f"B{number}", net, text)]


def _camt(number: int, entries: list[_Entry], opening: int, closing: int) -> str:
    day = FIRST + timedelta(days=number)
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="MYR">{_money(minor)}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
        for code, minor in (("OPBD", opening), ("CLBD", closing))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{number}</MsgId><CreDtTm>{day}T23:00:00Z</CreDtTm></GrpHdr><Stmt><Id>{number}</Id>"
        f"<CreDtTm>{day}T23:00:00Z</CreDtTm><Acct><Id><Othr><Id>{BANK_ACCOUNT}</Id></Othr></Id><Ccy>MYR</Ccy></Acct>"
        f"{balances}{''.join(_camt_entry(entry, day) for entry in entries)}</Stmt></BkToCstmrStmt></Document>"
    )


def _camt_entry(entry: _Entry, day: date) -> str:
    details = ""
    if entry.instructed:
        currency, minor = entry.instructed
        details = f'<AmtDtls><InstdAmt><Amt Ccy="{currency}">{_money(minor)}</Amt></InstdAmt></AmtDtls>'
    charges = (
        f'<Chrgs><TtlChrgsAndTaxAmt Ccy="MYR">{_money(entry.charges)}</TtlChrgsAndTaxAmt></Chrgs>'
        if entry.charges
        else ""
    )
    return (
        f'<Ntry><Amt Ccy="MYR">{_money(entry.minor)}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{entry.reference}</AcctSvcrRef>{charges}<NtryDtls><TxDtls>{details}"
        f"<RmtInf><Ustrd>{entry.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
