"""A bank of ours and its statements, written independently of the parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from common.changes import Actor
from reconciliation.models import BankAccount, Break, ReconciliationRun, Source, Statement
from reconciliation.services.imports import statement_import
from reconciliation.services.reconcile import reconcile_day
from tests.factories.agreed import new_bank_account
from tests.reconciliation.given import DAY, money

ACTOR = Actor("system:test")
NEXT = DAY + timedelta(days=1)  # when the money of DAY is due
BANK, NUMBER = "mybank", "5140001"


@dataclass(frozen=True)
class Booked:
    """One entry; `minor` in sen, negative for a debit."""

    reference: str
    minor: int
    text: str = ""
    reversal: bool = False
    charges: int = 0
    instructed: tuple[str, int] | None = None


def bank_account() -> BankAccount:
    source, _ = Source.objects.get_or_create(
        code=BANK, defaults={"name": "My bank", "side": "BANK", "format": "camt053"}
    )
    return new_bank_account(source, NUMBER)


def night(day: date) -> datetime:
    """When a day's statements are taken in."""
    return datetime(day.year, day.month, day.day, 18, tzinfo=UTC)


def bank_file(entries: Sequence[Booked], *, day: date = NEXT) -> bytes:
    total = sum(entry.minor for entry in entries)
    opening = 1_000_000
    return (
        '<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>m</MsgId></GrpHdr>'
        f"<Stmt><Id>{day}</Id><Acct><Id><Othr><Id>{NUMBER}</Id></Othr></Id><Ccy>MYR</Ccy></Acct>"
        f"{_balance('OPBD', opening, day)}{_balance('CLBD', opening + total, day)}"
        f"{''.join(_entry(entry, day) for entry in entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def bank_imported(entries: Sequence[Booked], *, day: date = NEXT) -> Statement:
    statement = statement_import(
        content=bank_file(entries, day=day),
        provider=BANK,
        account=None,
        live=False,
        day=day,
        actor=ACTOR,
        now=night(day),
    ).statement
    assert (statement.state, statement.quarantined_count) == ("IMPORTED", 0), statement.reason
    return statement


def bank_reconciled(*, day: date = NEXT, now: datetime | None = None) -> ReconciliationRun:
    return reconcile_day(provider=BANK, live=False, day=day, actor=ACTOR, now=now or night(day))


def open_bank_kinds() -> list[tuple[str, str, str]]:
    """(kind, the bank's reference, the provider of the remittance) of every open break of the bank's side, sorted."""
    found = Break.objects.filter(resolved_at=None, line=None, operation=None).select_related("bank_line", "remittance")
    return sorted(
        (x.kind, x.bank_line.reference if x.bank_line else "", x.remittance.provider if x.remittance else "")
        for x in found
    )


def _balance(code: str, minor: int, day: date) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="MYR">{money(minor)}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _entry(entry: Booked, day: date) -> str:
    side = "DBIT" if entry.minor < 0 else "CRDT"
    charges = (
        f'<Chrgs><TtlChrgsAndTaxAmt Ccy="MYR">{money(entry.charges)}</TtlChrgsAndTaxAmt></Chrgs>'
        if entry.charges
        else ""
    )
    foreign = ""
    if entry.instructed:
        currency, minor = entry.instructed
        foreign = f'<AmtDtls><InstdAmt><Amt Ccy="{currency}">{money(minor)}</Amt></InstdAmt></AmtDtls>'
    return (
        f'<Ntry><Amt Ccy="MYR">{money(abs(entry.minor))}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        f"{'<RvslInd>true</RvslInd>' if entry.reversal else ''}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt>"
        f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef>{charges}"
        f"<NtryDtls><TxDtls>{foreign}<RmtInf><Ustrd>{entry.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
