"""What is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payment_engine.amounts import Amount, amount_text


@dataclass(frozen=True)
class Customer:
    """The payer."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class CreateTransactionRequest:
    """A payment. Book transfers have `from_account_id` and `to_account_id`, payments of a payer through a provider the last four fields.

    `amount` is exact: a Decimal, an int, a string, or a float that prints as meant. Raises ValueError at once for any other.
    `capture` is "automatic" or "manual". With a `payment_type_id` of None and a `return_url` the payer chooses on our page.
    """

    payment_type_id: str | None
    amount: Amount
    currency_code: str | None = None
    from_account_id: str | None = None
    to_account_id: str | None = None
    description: str | None = None
    external_reference: str | None = None
    metadata: Mapping[str, Any] | None = None
    return_url: str | None = None
    bank_code: str | None = None
    customer: Customer | None = None
    capture: str | None = None

    def __post_init__(self) -> None:
        amount_text(self.amount, self.currency_code)

    def to_json(self) -> dict[str, Any]:
        """The body; what is None is left out."""
        return to_json({**vars(self), "amount": amount_text(self.amount, self.currency_code)})


def to_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Python names to those of the wire, without what is None."""
    return {camel(name): _plain(value) for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    return to_json(vars(value)) if isinstance(value, Customer) else value


def camel(name: str) -> str:
    """from_account_id: fromAccountId."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
