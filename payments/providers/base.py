"""What every provider adapter is: stateless translation between one operation and one provider's wire protocol.

An adapter reports, it never decides: it has no Django, no database, no clock and no state of its own. Four answers exist, and
the fourth, UNKNOWN, is the honest one whenever a request left us and no readable reply came back (a timeout, a reset, a 5xx, a
word that we do not know). Only a request that surely never left raises NotSent, because only that is safe to send again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

import requests

from common.money import Money


class Kind(StrEnum):
    """What an operation asks the provider to do with money."""

    SALE = "SALE"
    AUTHORIZE = "AUTHORIZE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


class Outcome(StrEnum):
    """What the provider's answer means for the operation."""

    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    PENDING = "PENDING"  # the provider has it and has not decided
    UNKNOWN = "UNKNOWN"  # it left us; whether it took effect has to be looked up
    NOT_FOUND = "NOT_FOUND"  # look-ups only: the provider does not know the reference (yet)


class FailureCode(StrEnum):
    """Why an operation was declined, in our words (`ProviderResult.failure_code`)."""

    DECLINED = "DECLINED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INVALID_CARD = "INVALID_CARD"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    EXPIRED = "EXPIRED"  # the payer's time ran out
    CANCELLED_BY_PAYER = "CANCELLED_BY_PAYER"
    PROVIDER_ERROR = "PROVIDER_ERROR"  # the provider or the bank failed, and says that no money moved


class ProviderError(Exception):
    """Base of what adapters raise."""


class NotSent(ProviderError):
    """The request surely took no effect (refused connection, DNS, TLS before the request, 429): safe to try again."""

    def __init__(self, message: str = "", *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds  # what the provider asked for, if it did


class NotSupported(ProviderError):
    """This provider has no such operation."""


class BadSignature(ProviderError):
    """A message that claims to come from the provider is not signed by it, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant's account at the provider, opened for one call. `config` is public, `credentials` secret."""

    id: str
    config: Mapping[str, str]
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """One message that may move money. `reference` is ours, the same on every try, and the provider's idempotency key."""

    kind: Kind
    reference: str
    amount: Money
    at: datetime  # when the operation was created (aware, UTC): part of what FPX signs, so the same on every try
    description: str = ""
    return_url: str = ""  # where the payer's browser comes back to (ours)
    bank_code: str = ""
    business_banking: bool = False  # FPX B2B1 instead of B2C
    payer_name: str = ""
    payer_email: str = ""
    payer_phone: str = ""
    original_reference: str = ""  # CAPTURE, VOID, REFUND: our reference of the sale or authorisation it acts on
    original_provider_reference: str = ""  # and the provider's
    original_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the payer's browser has to go: the request that it has to make."""

    method: str  # "GET" or "POST"
    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """What the provider said of one operation. `amount` is what it says it moved, None where it does not say."""

    outcome: Outcome
    code: str = ""  # the provider's own code, as it was
    reason: str = ""  # a sentence or token for people
    failure_code: str = ""  # ours, a FailureCode, when DECLINED
    amount: Money | None = None
    provider_reference: str = ""  # the provider's id of it
    approval_code: str = ""
    bank_reference: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)  # the reply's fields, without secrets and signatures


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A callback or a returning browser, as it arrived."""

    method: str
    content_type: str
    query: str  # raw query string
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """What a verified inbound message says: of which operation, and what. `event_key` names repeats of the same message."""

    reference: str
    kind: Kind
    result: ProviderResult
    event_key: str


@dataclass(frozen=True, slots=True)
class BankStatus:
    code: str
    name: str
    online: bool


class Provider(ABC):
    """One provider. Instances are cheap: one per call, holding the opened account and a shared HTTP session."""

    code: ClassVar[str]
    methods: ClassVar[frozenset[str]]  # the payment types it serves
    currencies: ClassVar[frozenset[str]]
    supports: ClassVar[frozenset[Kind]]  # operation kinds
    lists_banks: ClassVar[bool] = False
    several_captures: ClassVar[bool] = False  # an authorisation can be captured in parts, and its rest voided

    def __init__(self, account: Account, session: requests.Session, timeout: tuple[float, float] = (3.0, 30.0)) -> None:
        """`session` comes from `session.open_session()`; `timeout` is (seconds to connect, seconds for the whole reply)."""
        self.account = account
        self.session = session
        self.timeout = timeout

    # -- the payer's browser carries the message (SALE, AUTHORIZE) -------------------------------------------------
    def redirect(self, request: OperationRequest) -> Redirect:
        """Build the signed message that the payer's browser delivers. Pure: no network."""
        raise NotSupported(f"{self.code} has no redirect")

    # -- we send the message ---------------------------------------------------------------------------------------
    def send(self, request: OperationRequest) -> ProviderResult:
        """Send CAPTURE, VOID or REFUND. Raises NotSent only when it surely did not leave us."""
        raise NotSupported(f"{self.code} has no {request.kind}")

    @abstractmethod
    def look_up(self, request: OperationRequest) -> ProviderResult:
        """Ask what became of the operation. Any fault is UNKNOWN; raises nothing but NotSent."""

    # -- they send the message -------------------------------------------------------------------------------------
    @staticmethod
    @abstractmethod
    def claims(fields: Mapping[str, str]) -> bool:
        """Whether a callback with these fields speaks this provider's dialect."""

    @staticmethod
    @abstractmethod
    def account_key(fields: Mapping[str, str]) -> str:
        """The value of `config["account_key"]` of the account that the (unverified) message names; "" if it names none."""

    @abstractmethod
    def read(self, message: InboundMessage) -> Report:
        """Verify the signature on the message as it arrived, then translate. Raises BadSignature."""

    # -- reference data --------------------------------------------------------------------------------------------
    def banks(self, *, business: bool = False) -> list[BankStatus]:
        """The bank list now. Raises ProviderError when it cannot be had."""
        raise NotSupported(f"{self.code} has no bank list")

    def statement(self, day: date) -> bytes:
        """The statement file of the provider's `day`, as served. Raises ProviderError when it cannot be had."""
        raise NotSupported(f"{self.code} has no statements")


def fields_of(items: Mapping[str, Any]) -> dict[str, str]:
    """Plain strings of a parsed form or query."""
    return {str(k): str(v) for k, v in items.items()}
