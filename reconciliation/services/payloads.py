"""What facts show of a settlement: amounts as exact decimal strings, which webhooks turn into numbers (common/events.py)."""

from __future__ import annotations

from typing import Any

from common.money import Money
from merchants.api.rendering import instant
from reconciliation.models import Payout, PayoutFile, Settlement


def settlement_payload(settlement: Settlement) -> dict[str, Any]:
    def text(minor: int) -> str:
        return str(Money(minor, settlement.currency))

    return {
        "settlementId": settlement.pk,
        "status": settlement.state,
        "currencyCode": settlement.currency,
        "date": settlement.day.isoformat(),
        "periodFrom": instant(settlement.period_from),
        "periodTo": instant(settlement.period_to),
        "payOn": settlement.pay_on.isoformat(),
        "gross": text(settlement.gross_minor),
        "refunds": text(settlement.refund_minor),
        "disputes": text(settlement.dispute_minor),
        "fees": text(settlement.fee_minor),
        "reserveHeld": text(settlement.reserve_held_minor),
        "reserveReleased": text(settlement.reserve_released_minor),
        "adjustments": text(settlement.adjustment_minor),
        "carriedOver": text(settlement.carried_over_minor),
        "amount": text(settlement.net_minor),
    }


def payout_payload(payout: Payout) -> dict[str, Any]:
    """A payout as its merchant hears of it; `reference` is the end-to-end id that the bank shows."""
    return {
        "payoutId": payout.pk,
        "settlementId": payout.settlement_id,
        "status": payout.state,
        "amount": str(payout.amount),
        "currencyCode": payout.currency,
        "destination": payout.destination,
        "reference": payout.end_to_end_id,
        "paidAt": instant(payout.paid_at) if payout.paid_at else None,
        "failureReason": payout.reason or None,
    }


def payout_file_payload(file: PayoutFile) -> dict[str, Any]:
    return {
        "messageId": file.message_id,
        "status": file.state,
        "amount": str(file.total),
        "currencyCode": file.currency,
        "payouts": file.payout_count,
    }
