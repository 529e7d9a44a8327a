"""What EPS calls the state of a transaction, and how it puts our refusals (contracts section 5, the table of codes)."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import (
    CounterfoilError,
    DuplicatePayment,
    InvalidRequest,
    InvalidState,
    NotFound,
    ProviderUnavailable,
    RateLimitExceeded,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedCurrency,
)
from merchants.api.parsing import PayloadTooLarge, UnsupportedMediaType
from payments.models import Transaction
from payments.states import TransactionStatus as T


@dataclass(frozen=True, slots=True)
class Code:
    """STATUS_CODE and STATUS, with the sentence that goes with them unless there is a better one."""

    code: str
    status: str
    message: str


SUCCESS = Code("00", "SUCCESS", "Transaction Successful")
APPROVED = Code("000", "APPROVED", "Authorised, not yet captured")
DECLINED = Code("01", "DECLINED", "The payment was declined")
INSUFFICIENT_FUNDS = Code("05", "INSUFFICIENT_FUNDS", "The payer does not have enough money")
INVALID_TRANSACTION = Code("12", "INVALID_TRANSACTION", "There is no such transaction")
INVALID_CARD = Code("14", "INVALID_CARD", "The card was refused")
FORMAT_ERROR = Code("30", "FORMAT_ERROR", "The message cannot be understood")
PENDING = Code("68", "PENDING", "The payer has not finished")
PROCESSING = Code("77", "PROCESSING", "With the provider")
SYSTEM_ERROR = Code("96", "SYSTEM_ERROR", "Temporarily out of service. Please try again")

_BY_STATUS = {
    T.PENDING: PENDING,
    T.PROCESSING: PROCESSING,
    T.AUTHORIZED: APPROVED,
    T.COMPLETED: SUCCESS,
    T.PARTIALLY_REFUNDED: SUCCESS,  # it was paid; what was given back is in the reconciliation
    T.REFUNDED: SUCCESS,
    T.FAILED: DECLINED,
    T.CANCELLED: Code("01", "DECLINED", "The payment was cancelled"),
    T.EXPIRED: Code("01", "DECLINED", "The payer did not finish in time"),
}
_BY_FAILURE = {
    "INSUFFICIENT_FUNDS": INSUFFICIENT_FUNDS,
    "INVALID_CARD": INVALID_CARD,
    "CANCELLED_BY_PAYER": Code("01", "DECLINED", "The payer cancelled the payment"),
    "EXPIRED": Code("01", "DECLINED", "The payer did not finish in time"),
    "LIMIT_EXCEEDED": Code("01", "DECLINED", "The payment is above a limit of the payer's bank"),
}
_BY_ERROR: tuple[tuple[type[CounterfoilError], Code], ...] = (
    (UnsupportedCurrency, INVALID_TRANSACTION),
    (InvalidRequest, FORMAT_ERROR),
    (PayloadTooLarge, FORMAT_ERROR),
    (UnsupportedMediaType, FORMAT_ERROR),
    (Unauthorized, FORMAT_ERROR),
    (DuplicatePayment, INVALID_TRANSACTION),
    (InvalidState, INVALID_TRANSACTION),
    (NotFound, INVALID_TRANSACTION),
    (RateLimitExceeded, SYSTEM_ERROR),
    (ServiceUnavailable, SYSTEM_ERROR),
    (ProviderUnavailable, SYSTEM_ERROR),
)


def code_of(transaction: Transaction) -> Code:
    """The state of a transaction."""
    if transaction.status == T.FAILED:
        return _BY_FAILURE.get(transaction.failure_code, DECLINED)
    return _BY_STATUS[T(transaction.status)]


def code_of_error(error: CounterfoilError) -> Code:
    """A refusal; one that this dialect has no word for is a declined payment."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), DECLINED)
