"""The sender: one at a time, many in flight, and nobody waits for somebody else's dead endpoint.

Deliveries of one endpoint go one after another over one connection: a lane. An endpoint has one lane until it has proved itself in this run, then
up to four; one that is failing has one lane of one delivery, and all failing ones together have half the threads. A lane ends
when the other side falls silent or its time is up, and gives back what it did not send. Threads only send; this thread claims and records,
many deliveries in a statement.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue

import structlog
from django.utils import timezone

from common.crashpoints import crashpoint
from common.crypto import CannotOpen
from common.ids import new_id
from notifications.channels.webhook.client import Connection
from notifications.channels.webhook.send import BLOCKED, UNREACHABLE, Outcome, send
from notifications.channels.webhook.target import Resolver, TargetRefused, resolve_target, system_resolver
from notifications.models import WebhookEndpoint
from notifications.services.claims import (
    Claimed,
    Finished,
    anything_due,
    bury_undeliverable,
    claim,
    only_sender,
    record,
    release,
)
from notifications.services.endpoints import note_health
from notifications.services.schedule import next_attempt
from notifications.signing import signed_headers

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]

IN_FLIGHT = 32
FAILING_IN_FLIGHT = 16
LANES_PER_ENDPOINT = 4
LANE_ROWS = 50
_LANE_SECONDS = 5.0  # after which a lane starts no further delivery
_RUN_SECONDS = 30.0  # after which the sender claims no more; the schedule starts the next one
_POLL_SECONDS = 0.1  # between claims while lanes are busy


def deliver_due(*, clock: Clock = timezone.now, resolve: Resolver = system_resolver) -> int:
    """Send what is due. Returns how many attempts were made; none if another sender is at work, which then finds it all."""
    stop_at = time.monotonic() + _RUN_SECONDS
    total = 0
    while time.monotonic() < stop_at and anything_due(now=clock()):
        with only_sender() as mine:
            sent = _Sender(clock, resolve, stop_at).run() if mine else 0
        total += sent
        if not sent:
            break
    return total  # checked again after the lock was free: what came meanwhile found no other sender


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint as a lane needs it."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)  # empty if they do not open


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries for one endpoint, one after another."""

    endpoint_id: str
    failing: bool
    receiver: Receiver
    deliveries: Sequence[Claimed]


@dataclass(frozen=True, slots=True)
class LaneEnded:
    lane: Lane
    unsent: Sequence[Claimed]


class _Sender:
    """One run of the sender."""

    def __init__(self, clock: Clock, resolve: Resolver, stop_at: float) -> None:
        self._clock = clock
        self._resolve = resolve
        self._stop_at = stop_at
        self._name = new_id("snd")
        self._done: SimpleQueue[Finished | LaneEnded] = SimpleQueue()
        self._lanes: Counter[str] = Counter()  # in flight, by endpoint
        self._failing = 0  # lanes in flight to failing endpoints
        self._proven: set[str] = set()
        self._sent = 0

    def run(self) -> int:
        bury_undeliverable(now=self._clock())
        with ThreadPoolExecutor(max_workers=IN_FLIGHT, thread_name_prefix="webhook") as pool:
            while True:
                if time.monotonic() < self._stop_at:
                    for lane in self._claim_lanes():
                        pool.submit(_run_lane, lane, self._clock, self._resolve, self._done)
                if not self._lanes.total():
                    return self._sent
                self._collect()

    # -- claiming ----------------------------------------------------------------------------------------------------------

    def _claim_lanes(self) -> list[Lane]:
        free = IN_FLIGHT - self._lanes.total()
        for_failing = min(free, FAILING_IN_FLIGHT - self._failing)
        lanes = self._claim(free, failing=False)
        return lanes + self._claim(min(for_failing, free - len(lanes)), failing=True)

    def _claim(self, free: int, *, failing: bool) -> list[Lane]:
        """Up to `free` lanes, which count as in flight from now on."""
        if free <= 0:
            return []
        now = self._clock()
        claimed = claim(
            name=self._name,
            now=now,
            endpoints=free,
            failing=failing,
            rows={endpoint_id: self._room(endpoint_id) * LANE_ROWS for endpoint_id in {*self._lanes, *self._proven}},
            rows_else=1 if failing else LANE_ROWS,
        )
        by_endpoint: dict[str, list[Claimed]] = defaultdict(list)
        for delivery in claimed:
            by_endpoint[delivery.endpoint_id].append(delivery)
        receivers = _receivers(by_endpoint.keys(), now)
        lanes = []
        for endpoint_id, deliveries in by_endpoint.items():
            count = min(self._room(endpoint_id), max(1, free // len(by_endpoint)), len(deliveries))
            lanes += [Lane(endpoint_id, failing, receivers[endpoint_id], deliveries[i::count]) for i in range(count)]
        for lane in lanes:
            self._lanes[lane.endpoint_id] += 1
            self._failing += lane.failing
        return lanes

    def _room(self, endpoint_id: str) -> int:
        """How many more lanes the endpoint may have."""
        return (LANES_PER_ENDPOINT if endpoint_id in self._proven else 1) - self._lanes[endpoint_id]

    # -- recording ---------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Wait for a lane to end, or a moment, and record what was sent meanwhile."""
        finished: list[Finished] = []
        unsent: list[Claimed] = []
        until = time.monotonic() + _POLL_SECONDS
        ended = False
        while True:
            try:
                item = self._done.get(block=not ended, timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
            if isinstance(item, Finished):
                finished.append(item)
                continue
            ended = True
            unsent += item.unsent
            self._lanes[item.lane.endpoint_id] -= 1
            self._failing -= item.lane.failing
        if finished:
            self._record(finished)
        if unsent:
            release(name=self._name, deliveries=unsent, now=self._clock())

    def _record(self, finished: list[Finished]) -> None:
        crashpoint("delivery.sent")
        record(name=self._name, finished=finished)
        crashpoint("delivery.recorded")
        self._sent += len(finished)
        delivered = {item.delivery.endpoint_id for item in finished if item.outcome.delivered}
        failed = {item.delivery.endpoint_id for item in finished} - delivered
        gone = {item.delivery.endpoint_id for item in finished if item.outcome.gone}
        self._proven = (self._proven | delivered) - failed
        note_health(delivered=delivered, failed=failed, gone=gone, now=self._clock())


def _receivers(endpoint_ids: Sequence[str] | set[str] | object, now: datetime) -> dict[str, Receiver]:
    found = {}
    for endpoint in WebhookEndpoint.objects.filter(pk__in=endpoint_ids):
        try:
            secrets = endpoint.open_secrets(now=now)
        except CannotOpen:
            log.exception("webhook.secret_does_not_open", endpoint=endpoint.pk)
            secrets = ()
        found[endpoint.pk] = Receiver(endpoint.url, secrets)
    return found


# -- in a thread: no database from here on ------------------------------------------------------------------------------------


def _run_lane(lane: Lane, clock: Clock, resolve: Resolver, done: SimpleQueue[Finished | LaneEnded]) -> None:
    """Send the lane's deliveries until one is met with silence or the time is up; report each, and at last the rest."""
    started = time.monotonic()
    connection: Connection | None = None
    count = 0
    try:
        for delivery in lane.deliveries:
            if count and time.monotonic() - started > _LANE_SECONDS:
                break
            count += 1
            at, begun = clock(), time.monotonic()
            try:
                connection = connection or Connection(resolve_target(lane.receiver.url, resolve=resolve))
                outcome = _attempt(connection, lane.receiver, delivery, at)
            except TargetRefused as exc:
                outcome = BLOCKED if exc.blocked else UNREACHABLE
            except Exception:  # one delivery's trouble must not stop the sender, and it has to count as an attempt
                log.exception("webhook.attempt_crashed", delivery=delivery.id)
                outcome = Outcome(error="internal")
            done.put(_finished(delivery, at, time.monotonic() - begun, outcome))
            if outcome.status is None:
                break
    finally:
        if connection is not None:
            connection.close()
        done.put(LaneEnded(lane, lane.deliveries[count:]))


def _attempt(connection: Connection, receiver: Receiver, delivery: Claimed, at: datetime) -> Outcome:
    if not receiver.secrets:
        return Outcome(error="no_secret")
    headers = signed_headers(event_id=delivery.event_id, at=at, body=delivery.body, secrets=receiver.secrets)
    return send(connection, headers=headers, body=delivery.body, now=at)


def _finished(delivery: Claimed, at: datetime, seconds: float, outcome: Outcome) -> Finished:
    due_at = None
    if not outcome.delivered:
        attempts = delivery.attempts + 1
        due_at = next_attempt(attempts=attempts, now=at, wait=outcome.wait, chance=random.random())
    return Finished(delivery=delivery, at=at, duration_ms=int(seconds * 1000), outcome=outcome, due_at=due_at)
