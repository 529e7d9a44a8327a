"""What comes back: frozen, amounts as Decimal, times as aware datetimes. Fields that a later server adds are ignored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from payment_engine.errors import PaymentEngineError
from payment_engine.payloads import camel

M = TypeVar("M", bound="Model")
Reader = Callable[[Any], Any]


def parse(text: bytes | str) -> Any:
    """JSON with every fractional number as the exact Decimal that was written."""
    return json.loads(text, parse_float=Decimal)


class Model:
    """Reads itself from the object on the wire, by the names and types of its fields."""

    @classmethod
    def of(cls: type[M], content: Mapping[str, Any]) -> M:
        """Raises PaymentEngineError if the object is not what it should be."""
        try:
            return cls(**dict(_read(cls, content)))
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise PaymentEngineError(f"this is no {cls.__name__}: {exc!r}", code="UNREADABLE_RESPONSE") from exc


def _read(cls: Any, content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, key, read, optional in _readers(cls):
        if key in content or not optional:
            yield name, read(content[key])


@cache
def _readers(cls: Any) -> list[tuple[str, str, Reader, bool]]:
    types = get_type_hints(cls)
    return [
        (field.name, camel(field.name), _reader(types[field.name]), field.default is not MISSING)
        for field in fields(cls)
    ]


def _reader(kind: Any) -> Reader:
    if get_origin(kind) is UnionType:
        inner = _reader(get_args(kind)[0])
        return lambda value: None if value is None else inner(value)
    if get_origin(kind) is tuple:
        item = _reader(get_args(kind)[0])
        return lambda value: tuple(map(item, value))
    if kind is Decimal:
        return Decimal
    if kind is datetime:
        return lambda value: datetime.fromisoformat(value.replace("Z", "+00:00"))
    return kind.of if isinstance(kind, type) and issubclass(kind, Model) else lambda value: value


@dataclass(frozen=True)
class NextAction(Model):
    """What the payer has to do: send the browser to `url`, as a form with `fields` if `method` is POST; or show a QR code."""

    type: str
    method: str | None = None
    url: str | None = None
    fields: Mapping[str, str] | None = None
    payload: str | None = None
    image: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Payment(Model):
    """One attempt at a provider."""

    id: str
    attempt: int
    payment_type_id: str
    status: str
    payment_trans_id: str
    amount: Decimal
    bank_code: str | None
    approval_code: str | None
    bank_reference: str | None
    failure_code: str | None
    failure_reason: str | None
    created_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True)
class Transaction(Model):
    """`status`: PENDING, PROCESSING, AUTHORIZED, COMPLETED, PARTIALLY_REFUNDED, REFUNDED, FAILED, CANCELLED or EXPIRED."""

    id: str
    status: str
    from_account_id: str | None
    to_account_id: str | None
    payment_type_id: str | None
    amount: Decimal
    amount_captured: Decimal
    amount_refunded: Decimal
    currency_code: str
    description: str | None
    external_reference: str | None
    metadata: Mapping[str, Any]
    failure_code: str | None
    failure_reason: str | None
    next_action: NextAction | None
    payments: tuple[Payment, ...]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class TransactionStatus(Model):
    id: str
    status: str
    external_reference: str | None
    failure_code: str | None
    failure_reason: str | None
    updated_at: datetime


@dataclass(frozen=True)
class Refund(Model):
    """`status`: PENDING until the provider said so, then SUCCEEDED or FAILED."""

    id: str
    transaction_id: str
    status: str
    amount: Decimal
    currency_code: str
    reason: str
    failure_code: str | None
    failure_reason: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True)
class Event(Model):
    """What became true. `sequence` grows per transaction; amounts in `data` are Decimals."""

    event_id: str
    event_type: str
    created_at: datetime
    sequence: int
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Balance(Model):
    account_id: str
    available_balance: Decimal
    pending_balance: Decimal
    currency_code: str
    as_of: datetime


@dataclass(frozen=True)
class Account(Model):
    id: str
    name: str
    status: str
    currency_code: str
    available_balance: Decimal
    pending_balance: Decimal
    created_at: datetime


@dataclass(frozen=True)
class Entry(Model):
    """One change of what is available; negative if money went out."""

    id: str
    type: str
    amount: Decimal
    currency_code: str
    transaction_id: str | None
    external_reference: str | None
    description: str | None
    created_at: datetime


@dataclass(frozen=True)
class PaymentType(Model):
    id: str
    name: str
    currencies: tuple[str, ...]


@dataclass(frozen=True)
class Bank(Model):
    code: str
    name: str
    status: str


@dataclass(frozen=True)
class FeeParts(Model):
    """What a fee is made of; `limits` is what a minimum added, or (below zero) a maximum took away."""

    percentage: Decimal
    fixed: Decimal
    limits: Decimal
    other: Decimal


@dataclass(frozen=True)
class SettlementPayout(Model):
    """How a settlement is paid: APPROVED, SENT, PAID or RETURNED. `reference` is what your bank's statement shows."""

    id: str
    status: str
    paid_at: datetime | None
    reference: str


@dataclass(frozen=True)
class MoneyStep(Model):
    """CAPTURED, ON_STATEMENT, AT_BANK, SETTLED or PAID_OUT: proven on `done_on`, or expected by a day ("YYYY-MM-DD")."""

    step: str
    done_on: str | None
    expected_by: str | None
    days_late: int
    id: str | None
    reference: str | None


@dataclass(frozen=True)
class Money(Model):
    """Where a payment's money is. `stage` is the first step that is missing; None when none is."""

    transaction_id: str
    stage: str | None
    days_late: int
    steps: tuple[MoneyStep, ...]


@dataclass(frozen=True)
class Settlement(Model):
    """What you are owed for a period: `amount` is the net. Days are "YYYY-MM-DD" in your time zone."""

    id: str
    status: str
    currency_code: str
    date: str
    period_from: datetime
    period_to: datetime
    pay_on: str
    line_count: int
    gross: Decimal
    refunds: Decimal
    disputes: Decimal
    fees: Decimal
    fee_parts: FeeParts
    reserve_held: Decimal
    reserve_released: Decimal
    reserve_release_on: str | None
    adjustments: Decimal
    carried_over: Decimal
    amount: Decimal
    created_at: datetime
    updated_at: datetime
    payout: SettlementPayout | None = None


@dataclass(frozen=True)
class SettlementLine(Model):
    """What one payment, refund, dispute or adjustment brought."""

    id: str
    type: str
    transaction_id: str | None
    external_reference: str | None
    payment_type_id: str | None
    gross: Decimal
    refunds: Decimal
    disputes: Decimal
    fees: Decimal
    adjustments: Decimal
    amount: Decimal
    currency_code: str
    booked_at: datetime


@dataclass(frozen=True)
class WebhookEndpoint(Model):
    """`secret` is there in the answer that made it, and never again."""

    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    active: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime
    secret: str | None = None


@dataclass(frozen=True)
class WebhookDelivery(Model):
    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    transaction_id: str | None
    sequence: int
    state: str
    attempt_count: int
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime
