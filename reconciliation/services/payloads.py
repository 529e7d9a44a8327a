"""What facts show of a settlement: amounts as exact decimal strings, which webhooks turn into numbers (common/events.py)."""

from __future__ import annotations

from typing import Any

from common.money import Money
from merchants.api.rendering import instant
from reconciliation.models import Settlement


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
