"""Every state and every legal move, as data.

The table says what an outcome of an operation does to its payment and transaction, and which fact that is. The fact is named here,
never derived from the new state: a declined capture leaves a payment AUTHORIZED and is not a second authorization. The same data
becomes the database's own triggers (migrations), so raw SQL cannot move a row where this table does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from payments.providers.base import Kind


class TransactionStatus(StrEnum):
    """What the merchant sees (contracts section 3)."""

    PENDING = "PENDING"  # the payer has not finished
    PROCESSING = "PROCESSING"  # with the provider, or the outcome is unknown
    AUTHORIZED = "AUTHORIZED"
    COMPLETED = "COMPLETED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class PaymentState(StrEnum):
    """One attempt at one provider."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    CONFLICTED = "CONFLICTED"  # the provider moved something else than we asked for: a person decides


class OperationState(StrEnum):
    """One message to a provider."""

    QUEUED = "QUEUED"  # has to be sent
    SENT = "SENT"  # claimed by a worker: it may have left us
    PENDING = "PENDING"  # the payer or the provider has not decided
    UNKNOWN = "UNKNOWN"  # it left us and nothing readable came back
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    CONFLICTED = "CONFLICTED"


class RefundState(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CONFLICTED = "CONFLICTED"


class RefundBatchState(StrEnum):
    """Refunds that are decided together."""

    PREPARED = "PREPARED"  # a person looks at it, or it waits for a second one
    APPROVED = "APPROVED"  # its refunds are being asked for
    DONE = "DONE"  # each was asked for or refused; how the refunds end is theirs to say
    DISCARDED = "DISCARDED"


class RefundItemState(StrEnum):
    """One row of a batch of refunds."""

    REFUSED = "REFUSED"  # when the batch was prepared
    WAITING = "WAITING"
    REQUESTED = "REQUESTED"  # it has its refund
    FAILED = "FAILED"  # refused when its refund was asked for


class ReviewState(StrEnum):
    """An open question."""

    OPEN = "OPEN"
    RETURNING = "RETURNING"  # decided to give the money back; the provider has not said so yet
    CLOSED = "CLOSED"


class Decision(StrEnum):
    """How a question was closed. All but ANSWERED take two people."""

    ACCEPT = "ACCEPT"  # what moved is taken as paid, or as refunded
    RETURN = "RETURN"  # given back through the provider
    WRITE_OFF = "WRITE_OFF"  # booked off by journal
    GIVE_UP = "GIVE_UP"  # an outcome that nobody can learn any more is taken as "not executed", on evidence
    STANDS = "STANDS"  # what is final stands, whatever was said later
    ANSWERED = "ANSWERED"  # the provider has said so, or the message was read, in the end


class AccountStatus(StrEnum):
    """Whether money moves on an account of a merchant's."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"  # no transfer moves money until an operator lets it
    CLOSED = "CLOSED"


class Result(StrEnum):
    """What payment_advance concluded from a provider's answer, its own clock and the amounts."""

    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    PENDING = "PENDING"
    EXPIRED = "EXPIRED"
    CONFLICTED = "CONFLICTED"


@dataclass(frozen=True, slots=True)
class Move:
    """Where payment and transaction go, and the fact. `transaction=None`: decided by the refunded amount."""

    payment: PaymentState
    transaction: TransactionStatus | None
    fact: str


P, T, R = PaymentState, TransactionStatus, Result

MOVES: dict[tuple[PaymentState, Kind, Result], Move] = {
    (P.CREATED, Kind.SALE, R.PENDING): Move(P.PROCESSING, T.PROCESSING, "payment.processing"),
    (P.CREATED, Kind.AUTHORIZE, R.PENDING): Move(P.PROCESSING, T.PROCESSING, "payment.processing"),
    (P.AUTHORIZED, Kind.CAPTURE, R.SUCCEEDED): Move(P.CAPTURED, T.COMPLETED, "payment.captured"),
    (P.AUTHORIZED, Kind.CAPTURE, R.DECLINED): Move(P.AUTHORIZED, T.AUTHORIZED, "payment.capture_declined"),
    (P.AUTHORIZED, Kind.CAPTURE, R.CONFLICTED): Move(P.CONFLICTED, T.PROCESSING, "payment.conflicted"),
    (P.AUTHORIZED, Kind.VOID, R.SUCCEEDED): Move(P.CANCELLED, T.CANCELLED, "payment.voided"),
    (P.AUTHORIZED, Kind.VOID, R.DECLINED): Move(P.AUTHORIZED, T.AUTHORIZED, "payment.void_declined"),
    (P.CAPTURED, Kind.REFUND, R.SUCCEEDED): Move(P.CAPTURED, None, "refund.completed"),
    (P.CAPTURED, Kind.REFUND, R.DECLINED): Move(P.CAPTURED, None, "refund.failed"),
    (P.CAPTURED, Kind.REFUND, R.CONFLICTED): Move(P.CAPTURED, None, "refund.conflicted"),
} | {
    move: after
    for state in (P.CREATED, P.PROCESSING)
    for move, after in {
        (state, Kind.SALE, R.SUCCEEDED): Move(P.CAPTURED, T.COMPLETED, "payment.captured"),
        (state, Kind.SALE, R.DECLINED): Move(P.DECLINED, T.FAILED, "payment.declined"),
        (state, Kind.SALE, R.EXPIRED): Move(P.EXPIRED, T.EXPIRED, "payment.expired"),
        (state, Kind.SALE, R.CONFLICTED): Move(P.CONFLICTED, T.PROCESSING, "payment.conflicted"),
        (state, Kind.AUTHORIZE, R.SUCCEEDED): Move(P.AUTHORIZED, T.AUTHORIZED, "payment.authorized"),
        (state, Kind.AUTHORIZE, R.DECLINED): Move(P.DECLINED, T.FAILED, "payment.declined"),
        (state, Kind.AUTHORIZE, R.EXPIRED): Move(P.EXPIRED, T.EXPIRED, "payment.expired"),
        (state, Kind.AUTHORIZE, R.CONFLICTED): Move(P.CONFLICTED, T.PROCESSING, "payment.conflicted"),
    }.items()
}

# What a merchant may do to a payment that nobody has begun to pay. No provider is part of it, so a payer may still pay: that money
# is a late success.
WITHDRAWN = Move(P.CANCELLED, T.CANCELLED, "payment.cancelled")

# A capture that leaves the rest reserved, for more captures; and the rest let go. What was captured stays captured.
CAPTURED_IN_PART = Move(P.AUTHORIZED, T.AUTHORIZED, "payment.captured_in_part")
REST_RELEASED = Move(P.CAPTURED, T.COMPLETED, "payment.rest_released")


def move_of(
    payment: PaymentState, kind: Kind, result: Result, *, final: bool = True, captured: bool = False
) -> Move | None:
    """What an outcome does, None if the table has no such move.

    `final`: whether a capture ends its authorisation; `captured`: whether part of the authorisation had been captured before.
    """
    move = MOVES.get((payment, kind, result))
    if move is None or result is not R.SUCCEEDED:
        return move
    if kind is Kind.CAPTURE and not final:
        return CAPTURED_IN_PART
    return REST_RELEASED if kind is Kind.VOID and captured else move


# What a declined payment does instead while its payer, on our own page, has time and tries left (docs/adr/0008). The fact has no
# public event: the merchant hears once, of the end.
TRY_AGAIN = Move(P.DECLINED, T.PENDING, "payment.attempt_declined")

# How a hosted transaction ends that has no open payment: nobody chose, or the last one was declined and nobody tried again.
PAGE_MOVES: dict[TransactionStatus, str] = {
    T.EXPIRED: "transaction.expired",
    T.CANCELLED: "transaction.cancelled",
}

# How a book transfer ends (no provider is asked): its status before and whether the money could be moved -> status after, fact.
TRANSFER_MOVES: dict[tuple[TransactionStatus, Result], tuple[TransactionStatus, str]] = {
    (T.PENDING, R.SUCCEEDED): (T.COMPLETED, "transfer.completed"),
    (T.PENDING, R.DECLINED): (T.FAILED, "transfer.failed"),
}

# What two people may decide about each kind of question.
DECISIONS: dict[str, frozenset[Decision]] = {
    "CONFLICT": frozenset({Decision.ACCEPT, Decision.RETURN, Decision.WRITE_OFF}),
    "LATE_SUCCESS": frozenset({Decision.ACCEPT, Decision.RETURN, Decision.WRITE_OFF}),
    "OVERDUE": frozenset({Decision.GIVE_UP}),
    "CONTRADICTION": frozenset({Decision.STANDS}),
    "STUCK": frozenset({Decision.GIVE_UP}),
}
REVIEW_MOVES = {
    (ReviewState.OPEN, ReviewState.RETURNING),
    (ReviewState.RETURNING, ReviewState.OPEN),  # the provider refused to give it back
    (ReviewState.OPEN, ReviewState.CLOSED),
    (ReviewState.RETURNING, ReviewState.CLOSED),
}

# Moves that no provider's answer makes: the database lets them through only with an approved proposal about a question of that payment.
ACCEPTED = Move(P.CAPTURED, None, "payment.accepted")
ACCEPTED_IN_PART = Move(P.AUTHORIZED, T.AUTHORIZED, "payment.accepted_in_part")  # a capture that leaves a rest
ACCEPTED_HOLD = Move(P.AUTHORIZED, T.AUTHORIZED, "payment.hold_accepted")
NOT_TAKEN = Move(P.DECLINED, T.FAILED, "payment.not_taken")  # given back or written off
REST_NOT_TAKEN = Move(P.CAPTURED, None, "payment.rest_not_taken")  # the same, where part had been captured before
ACCEPTABLE = {
    Kind.SALE: frozenset({P.CONFLICTED, P.EXPIRED, P.DECLINED, P.CANCELLED}),
    Kind.AUTHORIZE: frozenset({P.CONFLICTED}),
    Kind.CAPTURE: frozenset({P.CONFLICTED, P.AUTHORIZED, P.CANCELLED}),
}
DECIDED_PAYMENT_MOVES = {(before, P.CAPTURED) for before in (P.CONFLICTED, P.EXPIRED, P.DECLINED, P.CANCELLED)} | {
    (P.CONFLICTED, P.AUTHORIZED),
    (P.CONFLICTED, P.DECLINED),
}
DECIDED_TRANSACTION_MOVES = {(before, T.COMPLETED) for before in (T.FAILED, T.EXPIRED, T.CANCELLED)}
DECIDED_REFUND_MOVES = {
    (RefundState.CONFLICTED, RefundState.SUCCEEDED),
    (RefundState.CONFLICTED, RefundState.FAILED),
    (RefundState.FAILED, RefundState.SUCCEEDED),
}

# What an operator may do to an account, and the fact. A closed account stays closed.
ACCOUNT_MOVES: dict[tuple[AccountStatus, AccountStatus], str] = {
    (AccountStatus.ACTIVE, AccountStatus.FROZEN): "account.frozen",
    (AccountStatus.FROZEN, AccountStatus.ACTIVE): "account.unfrozen",
    (AccountStatus.ACTIVE, AccountStatus.CLOSED): "account.closed",
    (AccountStatus.FROZEN, AccountStatus.CLOSED): "account.closed",
}

# A payment in one of these can take no more money, or has been overtaken: only then may a hosted transaction have another.
OVER = frozenset({P.DECLINED, P.CANCELLED, P.EXPIRED})

# What the database lets through, derived from the table above plus what engines and people do outside provider answers.
PAYMENT_MOVES = (
    {(before, move.payment) for (before, _, _), move in MOVES.items() if before != move.payment}
    | {(P.CREATED, WITHDRAWN.payment)}
    | DECIDED_PAYMENT_MOVES
)

TRANSACTION_MOVES = (
    {(before, after) for (before, _), (after, _) in TRANSFER_MOVES.items()}
    | DECIDED_TRANSACTION_MOVES
    | {
        (T.PENDING, T.PROCESSING),
        (T.PROCESSING, T.PENDING),  # hosted ones only, a trigger of its own says
        (T.PENDING, T.CANCELLED),
        (T.AUTHORIZED, T.COMPLETED),
        (T.AUTHORIZED, T.CANCELLED),
        (T.AUTHORIZED, T.PROCESSING),
        (T.COMPLETED, T.PARTIALLY_REFUNDED),
        (T.COMPLETED, T.REFUNDED),
        (T.PARTIALLY_REFUNDED, T.REFUNDED),
    }
    | {
        (before, after)
        for before in (T.PENDING, T.PROCESSING)
        for after in (T.AUTHORIZED, T.COMPLETED, T.FAILED, T.EXPIRED)
    }
)

_O = OperationState
_ENDS = (_O.SUCCEEDED, _O.DECLINED, _O.EXPIRED, _O.CONFLICTED)
OPERATION_MOVES = {
    (_O.QUEUED, _O.SENT),
    (_O.QUEUED, _O.DECLINED),  # given up before it could be sent
    (_O.SENT, _O.QUEUED),  # surely not sent
    (_O.SENT, _O.PENDING),
    (_O.SENT, _O.UNKNOWN),
    (_O.PENDING, _O.UNKNOWN),
    (_O.UNKNOWN, _O.PENDING),
} | {(before, end) for before in (_O.SENT, _O.PENDING, _O.UNKNOWN) for end in _ENDS}

REFUND_MOVES = {
    (RefundState.PENDING, end) for end in (RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CONFLICTED)
} | DECIDED_REFUND_MOVES

REFUND_BATCH_MOVES = {
    (RefundBatchState.PREPARED, RefundBatchState.APPROVED): "refund_batch.approved",
    (RefundBatchState.PREPARED, RefundBatchState.DISCARDED): "refund_batch.discarded",
    (RefundBatchState.APPROVED, RefundBatchState.DONE): "refund_batch.done",
}
REFUND_ITEM_MOVES = {
    (RefundItemState.WAITING, RefundItemState.REQUESTED),
    (RefundItemState.WAITING, RefundItemState.FAILED),
}

TERMINAL_OPERATION = frozenset(_ENDS)
