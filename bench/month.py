"""A month for bench/reconciliation.py: payments by SQL, the statements of two providers and a bank as files, and what should be found in them.

Of 30 days (or another number) payment n is the k-th of its day (day n mod 30, k = n div 30); of five in a row three go through fpx and two through migs. In every four hundred
there is one break of each kind at each provider. The bank has its own, by the day of the remittance of the first merchant.

There may be several merchants, ten payments in a row each. Then some payments are given back on their day, some are charged back on a later one, and the
last merchant has its weekend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import IO

from payments.ledger.fees import FEE_IN_SQL

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
REST = (5, 6)  # of seven days: the last of several merchants sells nothing
CHARGED_BACK = {5: -1, 2: 1}  # of seven days: whose payment of two days before is taken back

# The merchants by number, each with an account at both providers and what it pays us (no tiers: nothing).
SHOPS = """
CREATE TEMPORARY TABLE shop (m integer, merchant_id text, fpx text, migs text, plan_id text, tiers jsonb DEFAULT '[]',
    minimum_minor bigint DEFAULT 0, maximum_minor bigint);
"""

# What follows in SQL and below have to say the same.
PLAN = """
CREATE TEMPORARY TABLE plan AS
SELECT p.*, f.merchant_id, CASE provider WHEN 'fpx' THEN f.fpx ELSE f.migs END AS account_id, f.plan_id,
       coalesce(percentage_minor, 0) AS percentage_minor, coalesce(fixed_minor, 0) AS fixed_minor, coalesce(limit_minor, 0) AS limit_minor,
       CASE WHEN %(merchants)s > 1 THEN CASE k %% 100 WHEN 60 THEN minor / 3 WHEN 64 THEN minor / 2 WHEN 84 THEN minor END END AS refund_minor
FROM (
    SELECT n, n / %(days)s AS k, %(first)s::timestamptz + (n %% %(days)s) * interval '1 day' AS at,
           CASE WHEN n / %(days)s %% 5 < 3 THEN 'fpx' ELSE 'migs' END AS provider,
           CASE WHEN n / %(days)s %% 5 IN (1, 3) THEN n / %(days)s %% 400 / 5 END AS kind,
           'EPG' || n || substr(md5(n::text), 1, 8) AS reference,
           1000 + (CASE WHEN n / %(days)s %% 5 IN (1, 3) AND n / %(days)s %% 400 / 5 = 9 THEN n - 5 * %(days)s ELSE n END) %% 90000 AS minor,
           (n / %(days)s / 10 + n / %(days)s / 400) %% %(merchants)s AS m
    FROM generate_series(%(days)s, %(count)s + %(days)s - 1) n
) p JOIN shop f ON f.m = CASE WHEN p.m = %(merchants)s - 1 AND p.n %% %(days)s %% 7 IN (5, 6) THEN 0 ELSE p.m END
LEFT JOIN LATERAL (SELECT fee.* FROM (SELECT p.minor AS amount_minor) c CROSS JOIN LATERAL (__FEE__) fee) fee ON kind IS DISTINCT FROM 5
ORDER BY p.at, p.n;
ANALYZE plan;
""".replace("__FEE__", FEE_IN_SQL)
# A success that we do not know of yet (kind 5) leaves its payment waiting.
PAYMENTS = """
INSERT INTO transaction (id, merchant_id, live, channel, method, status, version, currency, amount_minor, amount_authorized_minor,
    amount_captured_minor, amount_refunded_minor, amount_refund_pending_minor, content_hash, description, metadata, extra_fields,
    payer_name, payer_email, payer_phone, return_url, failure_code, failure_reason, expires_at, created_at, updated_at)
SELECT 'txn_' || n, merchant_id, false, 'api', provider,
    CASE WHEN kind = 5 THEN 'PROCESSING' WHEN refund_minor = minor THEN 'REFUNDED' WHEN refund_minor > 0 THEN 'PARTIALLY_REFUNDED' ELSE 'COMPLETED' END,
    CASE WHEN refund_minor > 0 THEN 4 ELSE 2 END, 'MYR', minor, taken, taken, coalesce(refund_minor, 0), 0, '', '', '{}', '{}',
    '', '', '', '', '', '', at + interval '30 minutes', at, at
FROM plan CROSS JOIN LATERAL (SELECT CASE WHEN kind = 5 THEN 0 ELSE minor END AS taken) t;
INSERT INTO payment (id, transaction_id, attempt, method, provider_account_id, state, payment_trans_id, currency, amount_minor, fee_minor,
    bank_code, business_banking, approval_code, bank_reference, provider_reference, failure_code, failure_reason, created_at, updated_at, paid_at)
SELECT 'pay_' || n, 'txn_' || n, 1, provider, account_id, CASE WHEN kind = 5 THEN 'PROCESSING' ELSE 'CAPTURED' END, reference, 'MYR', minor, percentage_minor + fixed_minor + limit_minor,
    '', false, '', '', 'F' || n, '', '', at, at, CASE WHEN kind = 5 THEN NULL ELSE at END
FROM plan;
INSERT INTO operation (id, payment_id, kind, state, reference, currency, amount_minor, sends, look_ups, due_at, provider_code,
    provider_reason, provider_reference, reply, created_at, ended_at, final)
SELECT 'op_' || n, 'pay_' || n, 'SALE', CASE WHEN kind = 5 THEN 'PENDING' ELSE 'SUCCEEDED' END, reference, 'MYR', minor, 0, 0,
    CASE WHEN kind = 5 THEN at END, '00', '',
    CASE kind WHEN 8 THEN 'A' || n WHEN 9 THEN 'A' || (n - 5 * %(days)s) ELSE 'F' || n END, '{}', at, CASE WHEN kind = 5 THEN NULL ELSE at END, true
FROM plan;
INSERT INTO refund (id, transaction_id, payment_id, state, currency, amount_minor, reason, requested_by, failure_code, failure_reason,
    created_at, updated_at, completed_at)
SELECT 'rfd_' || n, 'txn_' || n, 'pay_' || n, 'SUCCEEDED', 'MYR', refund_minor, 'returned', 'merchant:month', '', '', later, later, later
FROM plan CROSS JOIN LATERAL (SELECT at + interval '1 hour' AS later) t WHERE refund_minor > 0;
INSERT INTO operation (id, payment_id, refund_id, kind, state, reference, currency, amount_minor, sends, look_ups, provider_code,
    provider_reason, provider_reference, reply, created_at, ended_at, final)
SELECT 'opr_' || n, 'pay_' || n, 'rfd_' || n, 'REFUND', 'SUCCEEDED', 'RFD' || n || 'X', 'MYR', refund_minor, 1, 0, '00', '', 'R' || n, '{}', later, later, true
FROM plan CROSS JOIN LATERAL (SELECT at + interval '1 hour' AS later) t WHERE refund_minor > 0;
"""

Found = tuple[str, str, str]  # kind; what the provider or the bank calls the line; what we call ours


@dataclass
class Remitted:
    """What a provider's file of a day comes to in one currency."""

    provider: str
    account: str
    day: date
    currency: str
    net: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a provider's file; amounts in sen, below zero for what was given back."""

    account: str
    theirs: str
    ours: str
    minor: int
    fee: int
    currency: str = "MYR"
    type: str = "PAYMENT"


@dataclass
class Month:
    """Where the files are, and the answer key: (kind, their reference, ours)."""

    folder: Path
    count: int
    days: int
    merchants: int = 1
    planted: set[Found] = field(default_factory=set)
    remitted: list[Remitted] = field(default_factory=list)
    size: int = 0

    def file(self, source: str, day: date) -> Path:
        return self.folder / f"{source}-{day}"


def account_key(provider: str, m: int) -> str:
    """How the provider calls the account of the m-th merchant."""
    return f"{ACCOUNTS[provider]}N{m}" if m else ACCOUNTS[provider]


def write_month(folder: Path, count: int, days: int, merchants: int = 1) -> Month:
    """Write all files; the lines alone, as a table, to `plain.csv`."""
    month = Month(folder, count, days, merchants)
    with (folder / "plain.csv").open("w") as plain:
        for number in range(days):
            for provider in ACCOUNTS:
                _write_day(month, plain, provider, number)
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
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"


def _merchant(month: Month, number: int, k: int) -> int:
    m = (k // 10 + k // EVERY) % month.merchants
    return 0 if m == month.merchants - 1 and number % 7 in REST else m


def _refunded(month: Month, k: int, minor: int) -> int:
    return {60: minor // 3, 64: minor // 2, 84: minor}.get(k % 100, 0) if month.merchants > 1 else 0


def _lines(month: Month, provider: str, number: int) -> Iterator[Listed]:
    """A day's lines; plants what should be found."""
    days, end = month.days, month.count + month.days
    for n in range(days + number, end, days):
        k = n // days
        if (k % 5 < 3) != (provider == "fpx"):
            continue
        kind, ours, theirs, minor = _kind(k), _reference(n), f"F{n}", 1000 + n % 90_000
        account = account_key(provider, _merchant(month, number, k))
        fee, currency = _fee(provider, minor), "MYR"
        match kind:
            case "MISSING_AT_PROVIDER":
                month.planted.add((kind, "", ours))
                continue
            case "PARTNER":
                continue
            case "MISSING_IN_BOOKS":
                month.planted.add((kind, f"S{n}", ""))
                yield Listed(account, f"S{n}", f"STRANGER{n}", minor, fee)
            case "DUPLICATE_LINE":
                month.planted.add((kind, f"F{n}", ours))
                yield Listed(account, f"D{n}", ours, minor, fee)
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
                partner = n + 5 * days
                if partner < end:
                    month.planted |= {(kind, theirs, _reference(n)), (kind, theirs, _reference(partner))}
                kind = ""
        if kind in ("AMOUNT_MISMATCH", "FEE_MISMATCH", "STATUS_MISMATCH", "CURRENCY_MISMATCH"):
            month.planted.add((kind, theirs, ours))
        yield Listed(account, theirs, ours, minor, fee, currency)
        if given_back := _refunded(month, k, minor):
            yield Listed(account, f"R{n}", f"RFD{n}X", -given_back, 0, type="REFUND")
    if provider == "migs" and (n := _charged_back(month, number)):
        m, ours = _merchant(month, n % days, n // days), _reference(n)
        month.planted.add(("MISSING_IN_BOOKS", f"C{n}", ours))
        yield Listed(account_key(provider, m), f"C{n}", ours, -(1000 + n % 90_000), 0, type="CHARGEBACK")


def _charged_back(month: Month, number: int) -> int | None:
    """The payment that is taken back on this day: a card's, of two days before, about which all else is in order."""
    if month.merchants == 1 or number < 2 or number % 7 not in CHARGED_BACK:
        return None
    m = CHARGED_BACK[number % 7] % month.merchants
    for n in range(month.days + number - 2, month.count + month.days, month.days):
        k = n // month.days
        if k % 5 == 4 and k % 100 not in (64, 84) and _merchant(month, number - 2, k) == m:
            return n
    return None


# Ours -> how the provider's file calls the type.
TYPES = {
    "fpx": {"PAYMENT": "PAYMENT", "REFUND": "REFUND"},
    "migs": {"PAYMENT": "PURCHASE", "REFUND": "REFUND", "CHARGEBACK": "CHARGEBACK"},
}


def _write_day(month: Month, plain: IO[str], provider: str, number: int) -> None:
    day = FIRST + timedelta(days=number)
    whose = ACCOUNTS[provider] if month.merchants == 1 else "ALL"
    lines = amounts = fees = 0
    nets: dict[tuple[str, str], int] = {}
    with month.file(provider, day).open("w") as file:
        file.write(f"H,{provider.upper()},{whose},{day}\n{HEADERS[provider]}\n")
        for x in _lines(month, provider, number):
            money = f"{_money(x.minor)},{_money(x.fee)},{_money(x.minor - x.fee)}"
            at, type_ = f"{day}T12:00:00+08:00", TYPES[provider][x.type]
            if provider == "fpx":
                file.write(f"{type_},{x.account},{x.theirs},{x.ours},{at},TEST0001,{x.currency},{money},00\n")
            else:
                file.write(f"{type_},{x.account},{x.theirs},{x.ours},order {x.theirs},{at},VC,{x.currency},{money},0\n")
            plain.write(f"PAYMENT,{x.account},{x.theirs},{x.ours},{at},x,{x.currency},{money},00\n")
            lines, amounts, fees = lines + 1, amounts + x.minor, fees + x.fee
            owed = (x.account, x.currency)
            nets[owed] = nets.get(owed, 0) + x.minor - x.fee
        file.write(f"T,{lines},{_money(amounts)},{_money(fees)},{_money(amounts - fees)}\n")
    month.remitted += [Remitted(provider, key, day, currency, net) for (key, currency), net in sorted(nets.items())]


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
    for remitted in sorted(
        (x for x in month.remitted if x.net), key=lambda x: (x.day, x.provider, x.account, x.currency)
    ):
        number = (remitted.day - FIRST).days
        text = f"REMITTANCE {remitted.provider.upper()} {remitted.account} {remitted.day}"
        if remitted.account not in ACCOUNTS.values():
            arrived = remitted.net if remitted.currency == "MYR" else remitted.net * 42 // 10
            sent = None if remitted.currency == "MYR" else (remitted.currency, remitted.net)
            entries[number + 1].append(
                _Entry(f"{remitted.account}-{remitted.currency}-{number}", arrived, text, instructed=sent)
            )
        elif remitted.provider == "migs" and remitted.currency == "MYR":
            entries[number + 1].append(_Entry(f"M{number}", remitted.net, text))
        elif remitted.provider == "migs":
            booked = remitted.net * 42 // 10
            entries[number + 1].append(_Entry(f"U{number}", booked, text, instructed=(remitted.currency, remitted.net)))
        elif number % 7 in WEEKEND:
            weekend.append(remitted)
            if number % 7 == WEEKEND[-1] or number == month.days - 1:
                text = " ".join(["REMITTANCE FPX SE1", *(str(x.day) for x in weekend)])
                entries[number + 1].append(_Entry(f"W{number}", sum(x.net for x in weekend), text))
                weekend = []
        else:
            entries[number + 1] += _fpx_entries(month, number, remitted)
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
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="MYR">{_money(abs(minor))}</Amt>{_direction(minor)}'
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
        for code, minor in (("OPBD", opening), ("CLBD", closing))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{number}</MsgId><CreDtTm>{day}T23:00:00Z</CreDtTm></GrpHdr><Stmt><Id>{number}</Id>"
        f"<CreDtTm>{day}T23:00:00Z</CreDtTm><Acct><Id><Othr><Id>{BANK_ACCOUNT}</Id></Othr></Id><Ccy>MYR</Ccy></Acct>"
        f"{balances}{''.join(_camt_entry(entry, day) for entry in entries)}</Stmt></BkToCstmrStmt></Document>"
    )


def _direction(minor: int) -> str:
    return f"<CdtDbtInd>{'CRDT' if minor >= 0 else 'DBIT'}</CdtDbtInd>"


def _camt_entry(entry: _Entry, day: date) -> str:
    details = ""
    if entry.instructed:
        currency, minor = entry.instructed
        details = f'<AmtDtls><InstdAmt><Amt Ccy="{currency}">{_money(abs(minor))}</Amt></InstdAmt></AmtDtls>'
    charges = (
        f'<Chrgs><TtlChrgsAndTaxAmt Ccy="MYR">{_money(entry.charges)}</TtlChrgsAndTaxAmt></Chrgs>'
        if entry.charges
        else ""
    )
    return (
        f'<Ntry><Amt Ccy="MYR">{_money(abs(entry.minor))}</Amt>{_direction(entry.minor)}<Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{entry.reference}</AcctSvcrRef>{charges}<NtryDtls><TxDtls>{details}"
        f"<RmtInf><Ustrd>{entry.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
