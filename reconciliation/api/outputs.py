"""Settlements and their lines to the JSON of the merchant API."""

from __future__ import annotations

from typing import Any

from merchants.api.rendering import amount, instant
from reconciliation.documents.content import line_of
from reconciliation.models import Settlement


def settlement_json(settlement: Settlement) -> dict[str, Any]:
    currency = settlement.currency
    return {
        "id": settlement.pk,
        "status": settlement.state,
        "currencyCode": currency,
        "date": settlement.day.isoformat(),
        "periodFrom": instant(settlement.period_from),
        "periodTo": instant(settlement.period_to),
        "payOn": settlement.pay_on.isoformat(),
        "lineCount": settlement.line_count,
        "gross": amount(settlement.gross_minor, currency),
        "refunds": amount(settlement.refund_minor, currency),
        "disputes": amount(settlement.dispute_minor, currency),
        "fees": amount(settlement.fee_minor, currency),
        "feeParts": {
            "percentage": amount(settlement.fee_percentage_minor, currency),
            "fixed": amount(settlement.fee_fixed_minor, currency),
            "limits": amount(settlement.fee_limit_minor, currency),
            "other": amount(settlement.fee_other_minor, currency),
        },
        "reserveHeld": amount(settlement.reserve_held_minor, currency),
        "reserveReleased": amount(settlement.reserve_released_minor, currency),
        "reserveReleaseOn": settlement.reserve_release_on.isoformat() if settlement.reserve_release_on else None,
        "adjustments": amount(settlement.adjustment_minor, currency),
        "carriedOver": amount(settlement.carried_over_minor, currency),
        "amount": amount(settlement.net_minor, currency),
        "createdAt": instant(settlement.created_at),
        "updatedAt": instant(settlement.updated_at),
    }


def line_json(row: Any, currency: str) -> dict[str, Any]:
    """A row of `settlement_lines`."""
    line = line_of(row)
    return {
        "id": line.id,
        "type": line.type,
        "transactionId": line.transaction_id or None,
        "externalReference": line.reference or None,
        "paymentTypeId": line.method or None,
        "gross": amount(line.gross_minor, currency),
        "refunds": amount(line.refund_minor, currency),
        "disputes": amount(line.dispute_minor, currency),
        "fees": amount(line.fee_minor, currency),
        "adjustments": amount(line.adjustment_minor, currency),
        "amount": amount(line.net_minor, currency),
        "currencyCode": currency,
        "bookedAt": instant(line.at),
    }
