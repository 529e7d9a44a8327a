"""Statement files written independently of the parsers, and days of payments to compare them with."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone

from common.changes import Actor
from merchants.models import ProviderAccount
from payments.models import Operation
from payments.providers.base import Kind
from reconciliation.models import Break, ReconciliationRun, Statement
from reconciliation.services.imports import statement_import
from reconciliation.services.reconcile import reconcile_day

ACTOR = Actor("system:test")
DAY = date(2026, 3, 2)
MALAYSIA = timezone(timedelta(hours=8))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=MALAYSIA)
NEXT_MORNING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # 02:00 in Kuala Lumpur

FPX_HEADER = [
    "TXN_TYPE",
    "SELLER_ID",
    "FPX_TXN_ID",
    "SELLER_EX_ORDER_NO",
    "TXN_TIME",
    "BUYER_BANK",
    "CURRENCY",
    "AMOUNT",
    "FEE",
    "NET",
    "STATUS",
]
MIGS_HEADER = [
    "TYPE",
    "MERCHANT_ID",
    "TRANSACTION_NO",
    "MERCH_TXN_REF",
    "ORDER_INFO",
    "TIME",
    "CARD_TYPE",
    "CURRENCY",
    "GROSS",
    "MDR",
    "NET",
    "RESPONSE_CODE",
]


@dataclass(frozen=True)
class Listed:
    """One line that a provider lists; amounts in sen, `minor` negative for a refund."""

    account: str
    provider_reference: str
    reference: str
    minor: int = 10_000
    fee: int = 50
    type: str = "PAYMENT"
    currency: str = "MYR"
    at: datetime = NOON
    status: str = "00"


def money(minor: int) -> str:
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"


def fpx_file(lines: Sequence[Listed], *, day: date = DAY, account: str = "ALL") -> bytes:
    rows = [
        [
            x.type,
            x.account,
            x.provider_reference,
            x.reference,
            x.at.isoformat(),
            "TEST0001",
            x.currency,
            money(x.minor),
            money(x.fee),
            money(x.minor - x.fee),
            x.status,
        ]
        for x in lines
    ]
    return _file("FPX", FPX_HEADER, rows, lines, day, account)


def migs_file(lines: Sequence[Listed], *, day: date = DAY, account: str = "ALL") -> bytes:
    rows = [
        [
            x.type,
            x.account,
            x.provider_reference,
            x.reference,
            'order, "no. 1"',
            x.at.isoformat(),
            "VISA",
            x.currency,
            money(x.minor),
            money(x.fee),
            money(x.minor - x.fee),
            x.status,
        ]
        for x in lines
    ]
    return _file("MIGS", MIGS_HEADER, rows, lines, day, account)


def _file(
    code: str, header: list[str], rows: list[list[str]], lines: Sequence[Listed], day: date, account: str
) -> bytes:
    amount, fee = sum(x.minor for x in lines), sum(x.fee for x in lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["H", code, account, day.isoformat()])
    writer.writerow(header)
    writer.writerows(rows)
    writer.writerow(["T", len(lines), money(amount), money(fee), money(amount - fee)])
    return text.getvalue().encode()


def listed(operation: Operation, **changes: object) -> Listed:
    """The line that an honest provider writes for the operation."""
    refund = operation.kind == Kind.REFUND
    line = Listed(
        account=operation.payment.provider_account.account_key,
        provider_reference=operation.provider_reference or f"N{operation.reference}",
        reference=operation.reference,
        minor=-operation.amount_minor if refund else operation.amount_minor,
        fee=0 if refund else 50,
        type="REFUND" if refund else "PAYMENT",
    )
    return replace(line, **changes)  # type: ignore[arg-type]


def imported(
    account: ProviderAccount, lines: Sequence[Listed], *, now: datetime = NEXT_MORNING, day: date = DAY
) -> Statement:
    write = {"fpx": fpx_file, "migs": migs_file}[account.provider]
    return statement_import(
        content=write(lines, day=day, account=account.account_key),
        provider=account.provider,
        account=account,
        live=account.live,
        day=day,
        actor=ACTOR,
        now=now,
    ).statement


def reconciled(account: ProviderAccount, *, now: datetime = NEXT_MORNING, day: date = DAY) -> ReconciliationRun:
    return reconcile_day(provider=account.provider, live=account.live, day=day, actor=ACTOR, now=now)


def open_kinds() -> list[tuple[str, str, str]]:
    """(kind, the line's provider reference, the operation's reference) of every open break, sorted."""
    return sorted(
        (
            found.kind,
            found.line.provider_reference if found.line else "",
            found.operation.reference if found.operation else "",
        )
        for found in Break.objects.filter(resolved_at=None).select_related("line", "operation")
    )
