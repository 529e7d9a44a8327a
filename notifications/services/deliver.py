"""The sender: one at a time, many in flight, and nobody waits for somebody else's dead endpoint.

An endpoint has one lane (lanes.py) until it has proved itself in this run, then up to four; one that is failing has one lane of one
delivery, and all failing ones together have half the threads. Threads only send; this one claims and records, many deliveries in a
statement. A sender that dies leaves claims that lapse: what it sent and did not record is sent again under the same event id.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import Empty, SimpleQueue

import structlog
from django.utils import timezone

from common.crashpoints import crashpoint
from common.crypto import CannotOpen
from common.ids import new_id
from notifications.channels.webhook.client import DEADLINE_SECONDS
from notifications.channels.webhook.target import Resolver, system_resolver
from notifications.models import WebhookEndpoint
from notifications.services import claims
from notifications.services.claims import Claimed, Finished
from notifications.services.health import note_health
from notifications.services.lanes import Clock, Lane, LaneEnded, Outside, Receiver, run_lane

log = structlog.get_logger(__name__)

IN_FLIGHT = 32
FAILING_IN_FLIGHT = 16
LANES_PER_ENDPOINT = 4
LANE_ROWS = 50
_RUN_SECONDS = 30.0  # after which the sender claims no more; the schedule starts the next one
_POLL_SECONDS = 0.1  # between claims while lanes are busy


def deliver_due(
    *,
    clock: Clock = timezone.now,
    resolve: Resolver = system_resolver,
    attempt_seconds: float = DEADLINE_SECONDS,
) -> int:
    """Send what is due. Returns how many attempts were made; none if another sender is at work, which then finds it all."""
    stop_at = time.monotonic() + _RUN_SECONDS
    total = 0
    # Looked at again after the lock was given back: what came in between has found no other sender.
    while time.monotonic() < stop_at and claims.anything_due(now=clock()):
        with claims.only_sender() as mine:
            sent = _Sender(Outside(clock, resolve, attempt_seconds), stop_at).run() if mine else 0
        total += sent
        if not sent:
            break
    return total


class _Sender:
    """One run of the sender."""

    def __init__(self, outside: Outside, stop_at: float) -> None:
        self._outside = outside
        self._stop_at = stop_at
        self._name = new_id("snd")
        self._done: SimpleQueue[Finished | LaneEnded] = SimpleQueue()
        self._lanes: Counter[str] = Counter()  # in flight, by endpoint
        self._failing = 0  # lanes in flight to failing endpoints
        self._proven: set[str] = set()
        self._sent = 0

    def run(self) -> int:
        claims.bury_undeliverable(now=self._outside.clock())
        with ThreadPoolExecutor(max_workers=IN_FLIGHT, thread_name_prefix="webhook") as pool:
            while True:
                if time.monotonic() < self._stop_at:
                    for lane in self._claim_lanes():
                        pool.submit(run_lane, lane, self._outside, self._done)
                if not self._lanes.total():
                    return self._sent
                self._collect()

    def _claim_lanes(self) -> list[Lane]:
        free = IN_FLIGHT - self._lanes.total()
        lanes = self._claim(free, failing=False)
        return lanes + self._claim(min(free - len(lanes), FAILING_IN_FLIGHT - self._failing), failing=True)

    def _claim(self, free: int, *, failing: bool) -> list[Lane]:
        """Up to `free` lanes, which count as in flight from now on."""
        if free <= 0:
            return []
        now = self._outside.clock()
        size = 1 if failing else LANE_ROWS
        by_endpoint: dict[str, list[Claimed]] = defaultdict(list)
        for delivery in claims.claim(
            name=self._name,
            now=now,
            endpoints=free,
            failing=failing,
            rows={pk: self._room(pk) * size for pk in {*self._lanes, *self._proven}},
            rows_else=size,
        ):
            by_endpoint[delivery.endpoint_id].append(delivery)
        receivers = _receivers(by_endpoint.keys(), now)
        lanes = []
        for pk, deliveries in by_endpoint.items():
            count = min(self._room(pk), max(1, free // len(by_endpoint)), len(deliveries))
            lanes += [Lane(pk, failing, receivers[pk], deliveries[i::count]) for i in range(count)]
        for lane in lanes:
            self._lanes[lane.endpoint_id] += 1
            self._failing += lane.failing
        return lanes

    def _room(self, endpoint_id: str) -> int:
        """How many more lanes the endpoint may have."""
        return (LANES_PER_ENDPOINT if endpoint_id in self._proven else 1) - self._lanes[endpoint_id]

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
            claims.release(name=self._name, deliveries=unsent, now=self._outside.clock())

    def _record(self, finished: list[Finished]) -> None:
        crashpoint("delivery.sent")
        claims.record(name=self._name, finished=finished)
        crashpoint("delivery.recorded")
        self._sent += len(finished)
        delivered = {item.delivery.endpoint_id for item in finished if item.outcome.delivered}
        failed = {item.delivery.endpoint_id for item in finished} - delivered
        gone = {item.delivery.endpoint_id for item in finished if item.outcome.gone}
        self._proven = (self._proven | delivered) - failed
        note_health(delivered=delivered, failed=failed, gone=gone, now=self._outside.clock())


def _receivers(endpoint_ids: Collection[str], now: datetime) -> dict[str, Receiver]:
    found = {}
    for endpoint in WebhookEndpoint.objects.filter(pk__in=endpoint_ids):
        try:
            secrets = endpoint.open_secrets(now=now)
        except CannotOpen:
            log.exception("webhook.secret_does_not_open", endpoint=endpoint.pk)
            secrets = ()
        found[endpoint.pk] = Receiver(endpoint.url, secrets)
    return found
