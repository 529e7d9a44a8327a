"""A lane: deliveries for one endpoint, one after another over one connection, in a thread that never touches the database.

A lane ends when the other side falls silent or its time is up; what it did not send goes back to the queue and costs no attempt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue

import structlog

from notifications.channels.webhook.client import Connection
from notifications.channels.webhook.send import BLOCKED, UNREACHABLE, Outcome, send
from notifications.channels.webhook.target import Resolver, TargetRefused, resolve_target
from notifications.services.claims import Claimed, Finished
from notifications.services.schedule import next_attempt
from notifications.signing import signed_headers

log = structlog.get_logger(__name__)

_LANE_SECONDS = 5.0  # after which a lane starts no further delivery

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Outside:
    """The clock, the look-up of names and the time one attempt may take."""

    clock: Clock
    resolve: Resolver
    seconds: float


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint as a lane needs it."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)  # empty if they do not open


@dataclass(frozen=True, slots=True)
class Lane:
    endpoint_id: str
    failing: bool
    receiver: Receiver
    deliveries: Sequence[Claimed]


@dataclass(frozen=True, slots=True)
class LaneEnded:
    lane: Lane
    unsent: Sequence[Claimed]


def run_lane(lane: Lane, outside: Outside, done: SimpleQueue[Finished | LaneEnded]) -> None:
    """Send the lane's deliveries; report each that was attempted, and at last the end of the lane."""
    started = time.monotonic()
    connection: Connection | None = None
    count = 0
    try:
        for delivery in lane.deliveries:
            if count and time.monotonic() - started > _LANE_SECONDS:
                break
            count += 1
            at, begun = outside.clock(), time.monotonic()
            try:
                if connection is None:
                    connection = Connection(resolve_target(lane.receiver.url, resolve=outside.resolve))
                outcome = _attempt(connection, lane.receiver, delivery, at, outside.seconds)
            except TargetRefused as exc:
                outcome = BLOCKED if exc.blocked else UNREACHABLE
            except Exception:  # one delivery's trouble must not stop the sender, and has to count as an attempt
                log.exception("webhook.attempt_crashed", delivery=delivery.id)
                outcome = Outcome(error="internal")
            done.put(_finished(delivery, at, time.monotonic() - begun, outcome))
            if outcome.status is None:
                break
    finally:
        if connection is not None:
            connection.close()
        done.put(LaneEnded(lane, lane.deliveries[count:]))


def _attempt(connection: Connection, receiver: Receiver, delivery: Claimed, at: datetime, seconds: float) -> Outcome:
    if not receiver.secrets:
        return Outcome(error="no_secret")
    headers = signed_headers(event_id=delivery.event_id, at=at, body=delivery.body, secrets=receiver.secrets)
    return send(connection, headers=headers, body=delivery.body, now=at, seconds=seconds)


def _finished(delivery: Claimed, at: datetime, seconds: float, outcome: Outcome) -> Finished:
    due_at = None
    if not outcome.delivered:
        due_at = next_attempt(
            attempts=delivery.attempts + 1,
            now=at,
            wait=outcome.wait,
            chance=random.random(),  # noqa: S311  # spreads retries, guards nothing
        )
    return Finished(delivery=delivery, at=at, duration_ms=int(seconds * 1000), outcome=outcome, due_at=due_at)
