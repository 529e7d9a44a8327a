"""The client, and one object per resource below it."""

from __future__ import annotations

from types import TracebackType

from payment_engine.resources import (
    Accounts,
    Banks,
    PaymentTypes,
    Refunds,
    Settlements,
    Transactions,
    WebhookDeliveries,
    WebhookEndpoints,
)
from payment_engine.transport import Transport


class PaymentEngineClient:
    """`timeout` in seconds for each try; up to `retries` more tries after `retry_delay`, twice and four times that."""

    def __init__(
        self, api_key: str, base_url: str, timeout: float = 30, *, retries: int = 3, retry_delay: float = 1.0
    ) -> None:
        self._transport = Transport(
            api_key=api_key, base_url=base_url, timeout=timeout, retries=retries, retry_delay=retry_delay
        )
        self.transactions = Transactions(self._transport)
        self.refunds = Refunds(self._transport)
        self.accounts = Accounts(self._transport)
        self.payment_types = PaymentTypes(self._transport)
        self.banks = Banks(self._transport)
        self.settlements = Settlements(self._transport)
        self.webhook_endpoints = WebhookEndpoints(self._transport)
        self.webhook_deliveries = WebhookDeliveries(self._transport)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def __enter__(self) -> PaymentEngineClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
