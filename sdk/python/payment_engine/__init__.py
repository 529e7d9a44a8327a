"""The payment API from Python.

client = PaymentEngineClient(api_key=..., base_url="https://api.payment-engine.com")
transaction = client.transactions.create(CreateTransactionRequest(payment_type_id="fpx", amount="100.50", currency_code="MYR"))
"""

from payment_engine.client import PaymentEngineClient
from payment_engine.errors import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    InsufficientFundsError,
    InvalidRequestError,
    NotFoundError,
    PaymentEngineError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnprocessableError,
    WebhookVerificationError,
)
from payment_engine.models import (
    Account,
    Balance,
    Bank,
    Entry,
    Event,
    Money,
    MoneyStep,
    NextAction,
    Payment,
    PaymentType,
    Refund,
    Settlement,
    SettlementLine,
    SettlementPayout,
    Transaction,
    TransactionStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from payment_engine.payloads import CreateTransactionRequest, Customer
from payment_engine.webhooks import verify_webhook, verify_webhook_signature

__version__ = "1.0.0"

__all__ = [
    "Account",
    "AuthenticationError",
    "Balance",
    "Bank",
    "ConflictError",
    "ConnectionFailedError",
    "CreateTransactionRequest",
    "Customer",
    "Entry",
    "Event",
    "InsufficientFundsError",
    "InvalidRequestError",
    "Money",
    "MoneyStep",
    "NextAction",
    "NotFoundError",
    "Payment",
    "PaymentEngineClient",
    "PaymentEngineError",
    "PaymentType",
    "PermissionDeniedError",
    "RateLimitError",
    "Refund",
    "ServerError",
    "Settlement",
    "SettlementLine",
    "SettlementPayout",
    "Transaction",
    "TransactionStatus",
    "UnprocessableError",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookVerificationError",
    "verify_webhook",
    "verify_webhook_signature",
]
