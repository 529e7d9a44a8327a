"""Which facts merchants hear of, under which name, and the exact bytes they get.

Facts without a public event (a capture that was declined, an endpoint that changed) are published to nobody. The body is rendered once, when
the fact is dispatched, and those bytes are sent on every try: what was signed is what was stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

EVENT_OF_FACT: Mapping[str, str] = {
    "transaction.created": "transaction.created",
    "payment.captured": "transaction.completed",
    "payment.captured_in_part": "transaction.partially_captured",
    "payment.rest_released": "transaction.completed",
    "payment.declined": "transaction.failed",
    "payment.authorized": "transaction.authorized",
    "payment.voided": "transaction.cancelled",
    "payment.cancelled": "transaction.cancelled",
    "payment.expired": "transaction.expired",
    "transaction.expired": "transaction.expired",
    "transaction.cancelled": "transaction.cancelled",
    "payment.accepted": "transaction.completed",
    "payment.accepted_in_part": "transaction.partially_captured",
    "payment.hold_accepted": "transaction.authorized",
    "payment.not_taken": "transaction.failed",
    "payment.rest_not_taken": "transaction.completed",
    "transfer.completed": "transaction.completed",
    "transfer.failed": "transaction.failed",
    "account.deposited": "account.balance.updated",
    "account.balance_changed": "account.balance.updated",
    "api_key.expiring": "api_key.expiring",
    "webhook_endpoint.disabled": "webhook_endpoint.disabled",
    "refund.created": "refund.created",
    "refund.completed": "refund.completed",
    "refund.failed": "refund.failed",
    "settlement.created": "settlement.created",
    "payout.paid": "payout.paid",
    "payout.returned": "payout.returned",
    "payout.left_again": "payout.paid",
    "refund.accepted": "refund.completed",
    "refund.written_off": "refund.failed",
}
EVENT_TYPES = tuple(sorted(set(EVENT_OF_FACT.values())))
TEST_EVENT = "webhook.test"

_SETTLED = ("gross", "refunds", "disputes", "fees", "reserveHeld", "reserveReleased", "adjustments", "carriedOver")
_AMOUNTS = frozenset({"amount", "amountCaptured", "amountRefunded", "availableBalance", "pendingBalance", *_SETTLED})
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def render_body(
    *, event_id: str, event_type: str, created_at: datetime, sequence: int, data: Mapping[str, Any]
) -> bytes:
    """The body of an event (contracts section 4). Amounts are decimal strings in `data` and exact JSON numbers in the body.

    Raises TypeError or AttributeError for data that no fact may hold.
    """
    shown = _with_numbers(data)
    if isinstance(data.get("refund"), Mapping):
        shown["refund"] = _with_numbers(data["refund"])
    return orjson.dumps(
        {
            "eventId": event_id,
            "eventType": event_type,
            "createdAt": created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sequence": sequence,
            "data": shown,
        }
    )


def _with_numbers(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy whose amounts are written digit for digit as numbers: a float would round them."""
    shown = dict(data)
    for name in _AMOUNTS & shown.keys():
        amount = shown[name]
        if isinstance(amount, str) and _NUMBER.fullmatch(amount):
            shown[name] = orjson.Fragment(amount)
    return shown
