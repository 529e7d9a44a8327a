"""Provider events: stored as they arrived, verified, then acted on. Answered only once they are durable.

A genuine message is stored once (repeats count arrivals) and acts; forgeries share one row an hour and do nothing. An unknown reference is kept and
tried again, because a callback may overtake our own commit. Acting is payment_advance, so any repeat or wrong order is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection

from common.changes import Actor
from common.crashpoints import crashpoint
from common.ids import new_id
from common.rows import read_rows
from merchants.selectors import OpenAccount, account_named, open_account
from payments.models import Operation, Payment, ProviderEvent
from payments.models.provider_event import EventState
from payments.providers.base import BadSignature, InboundMessage, Outcome, Report
from payments.providers.registry import identify
from payments.services.advance import Effect, payment_advance
from payments.services.calls import open_provider
from payments.states import TERMINAL_OPERATION

log = structlog.get_logger(__name__)

_KEPT_OF_REJECTED = 4096  # a forger cannot make us keep more than this of each try
_TO_ACT_ON = (EventState.RECEIVED, EventState.UNMATCHED)
_MATCH_FOR = timedelta(hours=24)  # how long an unknown reference is tried again


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message: `verified` decides the answer."""

    verified: bool
    note: str = ""
    account_id: str = ""
    reference: str = ""

    def payment(self) -> Payment | None:
        """The payment that the message was about, as it is now: for sending a payer's browser on. Only of the account that
        spoke: nobody else is sent on with its signed state."""
        payments = Payment.objects.select_related("transaction__merchant").filter(provider_account_id=self.account_id)
        return payments.filter(operations__reference=self.reference).first()


def provider_event_receive(
    *, message: InboundMessage, fields: Mapping[str, str], source_ip: str | None, now: datetime
) -> Received:
    """Take in a callback or a returning browser. `fields` are its parsed fields, used only to find out who claims to speak."""
    named = identify(fields)
    if named is None:
        return Received(verified=False, note="It speaks no provider's dialect.")
    provider, account_key = named
    account = account_named(provider, account_key)
    if account is None:
        return Received(verified=False, note="It names no account of ours.")
    try:
        report = open_provider(account).read(message)
    except BadSignature as exc:
        _store(account, message, report=None, note=str(exc), source_ip=source_ip, now=now)
        log.warning("provider_event.rejected", provider=provider, reason=str(exc))
        return Received(verified=False, note=str(exc))
    event_id, fresh = _store(account, message, report=report, note="", source_ip=source_ip, now=now)
    crashpoint("callback.stored")
    if fresh:
        provider_event_act(event_id=event_id, account=account, report=report, now=now)
    return Received(verified=True, account_id=account.id, reference=report.reference)


def provider_event_act(*, event_id: str, account: OpenAccount, report: Report, now: datetime) -> None:
    """Act on a stored, verified message."""
    # Ours by reference, and only of the account that speaks: one merchant's provider cannot move another's payment.
    operation = next(iter(read_rows(_SPOKEN_OF, [report.reference, account.id])), None)
    event = ProviderEvent.objects.filter(pk=event_id)
    if operation is None:
        event.update(
            state=EventState.UNMATCHED, due_at=_sweeps_turn(now), note="No operation of ours has this reference."
        )
        log.warning("provider_event.unmatched", provider=account.provider, reference=report.reference)
        return
    operation_id, payment_id = operation
    effect = Effect.WAITING
    if not (account.confirm_events or report.result.outcome is Outcome.UNKNOWN) or not _ask_now(operation_id, now):
        actor = Actor(f"provider:{account.provider}", request_id=event_id)
        effect = payment_advance(operation_id=operation_id, result=report.result, actor=actor, now=now)
    crashpoint("callback.acted")
    acted = effect in (Effect.MOVED, Effect.REVIEW, Effect.WAITING)
    if not acted:  # a copy that arrived at the same moment may have acted: that stands
        event = event.exclude(state=EventState.ACTED)
    event.update(
        state=EventState.ACTED if acted else EventState.IGNORED,
        payment_id=payment_id,
        acted_at=now,
        due_at=None,
        note="" if acted else f"{effect.capitalize()}: nothing was changed.",
    )


_SPOKEN_OF = """
    SELECT o.id, o.payment_id FROM operation o JOIN payment p ON p.id = o.payment_id
    WHERE o.reference = %s AND p.provider_account_id = %s"""


def provider_event_retry(*, event_id: str, now: datetime) -> None:
    """The sweep's turn: read a stored message again and act on it. An unknown reference is given up after a day, and stays listed."""
    event = ProviderEvent.objects.select_related("provider_account").get(pk=event_id)
    if event.provider_account is None or event.due_at is None:
        return
    if event.state == EventState.UNMATCHED and now >= event.received_at + _MATCH_FOR:
        ProviderEvent.objects.filter(pk=event_id).update(due_at=None)
        return
    account = open_account(event.provider_account)
    message = InboundMessage(
        method=event.method, content_type=event.content_type, query=event.query, body=bytes(event.body), headers={}
    )
    report = open_provider(account).read(message)
    provider_event_act(event_id=event_id, account=account, report=report, now=now)


def _ask_now(operation_id: str, now: datetime) -> bool:
    """A hint only: let the sweep ask the provider at once. False if the operation has ended, so that nobody would ask: what the
    message says is then taken in as it is, and money that came after the end reaches suspense and a person."""
    open_operation = Operation.objects.filter(pk=operation_id).exclude(state__in=TERMINAL_OPERATION)
    return bool(open_operation.update(due_at=now))


def _sweeps_turn(now: datetime) -> datetime:
    """When the sweep takes a message up that nobody has acted on."""
    return now + timedelta(seconds=settings.EVENT_RETRY_SECONDS)


def _store(
    account: OpenAccount,
    message: InboundMessage,
    *,
    report: Report | None,
    note: str,
    source_ip: str | None,
    now: datetime,
) -> tuple[str, bool]:
    """Store it, or count one more arrival. Returns the row's id and whether somebody still has to act on it."""
    rejected = report is None
    # Whoever knows an account's public name can send as many forgeries as he likes: they share one row an hour.
    key = f"rejected:{account.id}:{now:%Y%m%d%H}" if report is None else report.event_key
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO provider_event (id, provider, provider_account_id, state, event_key, reference, arrivals, method,
                                        content_type, query, body, source_ip, note, due_at, received_at)
            VALUES (%s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (provider, event_key) DO UPDATE SET arrivals = provider_event.arrivals + 1
            RETURNING id, state
            """,
            [
                new_id("pev"),
                account.provider,
                account.id,
                EventState.REJECTED if rejected else EventState.RECEIVED,
                key[:160],
                "" if report is None else report.reference[:60],
                message.method,
                message.content_type[:100],
                message.query[:_KEPT_OF_REJECTED] if rejected else message.query,
                message.body[:_KEPT_OF_REJECTED] if rejected else message.body,
                source_ip,
                note[:255],
                None if rejected else _sweeps_turn(now),
                now,
            ],
        )
        event_id, state = cursor.fetchone()
    return event_id, state in _TO_ACT_ON
