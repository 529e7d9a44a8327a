"""Settlements and their lines to the JSON of the merchant API."""

from __future__ import annotations

from typing import Any

from merchants.api.rendering import amount, instant
from reconciliation.documents.content import line_of
from reconciliation.models import Settlement
from reconciliation.whereabouts import Way


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
        "payout": _payout_json(settlement),
        "createdAt": instant(settlement.created_at),
        "updatedAt": instant(settlement.updated_at),
    }


def _payout_json(settlement: Any) -> dict[str, Any] | None:
    """The payout of a row of `settlement_rows`."""
    for payout in settlement.shown_payouts:
        return {
            "id": payout.pk,
            "status": payout.state,
            "paidAt": instant(payout.paid_at),
            "reference": payout.end_to_end_id,
        }
    return None


def way_json(way: Way) -> dict[str, Any]:
    """Where a payment's money is. Of our bank's and the provider's rows a merchant sees that they are there, and when."""
    return {
        "transactionId": way.transaction_id,
        "stage": way.stage,
        "daysLate": way.late_days,
        "steps": [
            {
                "step": link.step,
                "doneOn": link.done_on.isoformat() if link.done_on else None,
                "expectedBy": link.expected_by.isoformat() if link.expected_by else None,
                "daysLate": link.late_days,
                "id": link.id if link.what in ("settlement", "payout") else None,
                "reference": link.text if link.what == "payout" else None,
            }
            for link in way.links
        ],
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
