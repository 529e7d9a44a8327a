"""The words of S4: bodies into transfers and refunds, rows into payments. A payment of this document is a real-time book transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.errors import CounterfoilError, UnsupportedCurrency
from common.money import Money, UnknownCurrency, exponent
from merchants.api.fields import Fields
from merchants.api.rendering import amount, instant, render
from merchants.caller import Caller
from merchants.services.idempotency import Reply
from payments.models import Refund
from payments.selectors import account_row
from payments.services.transfers import NewTransfer, Transferred

METHOD = "rtp"
_FIELDS = {"toAccountId": "toMerchant", "fromAccountId": "fromAccount"}  # the service's words in the document's


@dataclass(frozen=True, slots=True)
class NewRefund:
    """`amount` None refunds all that is left."""

    amount: Money | None
    reason: str


def read_payment(body: dict[str, Any], caller: Caller) -> NewTransfer:
    """The body of POST /payments: `toMerchant` is the account that is paid. Raises InvalidRequest, UnsupportedCurrency, NotFound."""
    fields = Fields(body)
    payer, payee = (fields.text(name, maximum=40, required=True) for name in ("fromAccount", "toMerchant"))
    currency = fields.take("currency")
    if currency is None:
        currency = account_row(caller, payer, "currency").currency if payer else caller.currency
    try:
        exponent(str(currency))
    except UnknownCurrency as exc:
        raise UnsupportedCurrency("Send currency as an ISO 4217 code.", currency=currency) from exc
    paid = fields.amount("amount", currency, required=True)
    new = NewTransfer(
        merchant_id=caller.merchant_id,
        live=caller.live,
        method=METHOD,
        from_account_id=payer,
        to_account_id=payee,
        amount=paid or Money(0, currency),  # only where finish() refuses
    )
    fields.finish()
    return new


def read_refund(body: dict[str, Any], *, currency: str) -> NewRefund:
    """The body of POST /payments/{id}/refunds. Raises InvalidRequest."""
    fields = Fields(body)
    new = NewRefund(fields.amount("amount", currency), fields.text("reason", maximum=255) or "refund")
    fields.finish()
    return new


def payment_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "amount": amount(row.amount_minor, row.currency),
        "currency": row.currency,
        "status": _word(row.status),
        "fromAccount": row.from_account_id,
        "toMerchant": row.to_account_id,
        "timestamp": instant(row.created_at),
    }


def payment_reply(made: Transferred) -> Reply:
    return Reply(201, render(payment_json(made.transaction)))


def refund_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "paymentId": row.transaction_id,
        "amount": amount(row.amount_minor, row.currency),
        "currency": row.currency,
        "status": _word(row.state),
        "reason": row.reason,
        "timestamp": instant(row.created_at),
    }


def refund_reply(refund: Refund) -> Reply:
    return Reply(201, render(refund_json(refund)))


def refusal_json(refusal: CounterfoilError) -> dict[str, Any]:
    """Why a payment would be refused: an error for each field that is not right, else the one rule that says no."""
    fields = refusal.details.get("fields", {})
    errors = [
        {"code": refusal.code, "field": _FIELDS.get(name, name), "message": in_our_words(sentence)}
        for name, sentences in fields.items()
        for sentence in sentences
    ]
    return {"valid": False, "errors": errors or [{"code": refusal.code, "field": None, "message": refusal.message}]}


def in_our_words(message: str) -> str:
    """A refusal of the services in the words of this document."""
    for theirs, ours in _FIELDS.items():
        message = message.replace(theirs, ours)
    return message


def _word(state: str) -> str:
    """As the document writes states: Completed, PartiallyRefunded."""
    return state.title().replace("_", "")
