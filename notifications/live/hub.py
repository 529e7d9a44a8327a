"""One reader for all streams of a process: one database connection, one Redis subscription, however many clients are watching.

PostgreSQL is the truth and is asked about every open stream each POLL_SECONDS, in one statement. Redis only says where to look at once;
while it is away, streams are that much later and miss nothing. Each CALLER_SECONDS the streams whose key was revoked, or whose session was
ended, end with it: their clients come back and are refused like everybody.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import redis
import structlog
from django.db import close_old_connections
from django.utils import timezone
from prometheus_client import Gauge

from merchants.credentials import still_valid
from notifications.live.facts import events_after
from notifications.live.nudges import nudged
from notifications.live.stream import Stream

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
REDIS_RETRY_SECONDS = 1.0
CALLER_SECONDS = 3.0  # as long as a revoked key works elsewhere (merchants.credentials)
OPEN_STREAMS = Gauge("counterfoil_live_streams", "Open live streams.", multiprocess_mode="livesum")


class Hub:
    """Lives in one event loop. `open()` and `close()` a stream; in between it is given what happens."""

    def __init__(self) -> None:
        self._streams: dict[str, set[Stream]] = {}
        self._by_merchant: Counter[str] = Counter()
        self._due: set[str] = set()  # transactions with news
        self._news = asyncio.Event()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live-reader")
        self._tasks: list[asyncio.Task[None]] = []

    def count(self, merchant_id: str | None = None) -> int:
        """How many streams are open, of one merchant if given. May be called from any thread."""
        return self._by_merchant.total() if merchant_id is None else self._by_merchant[merchant_id]

    def open(self, stream: Stream) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._feed, self._listen, self._end_revoked)]
            self._end_with_server()
        self._streams.setdefault(stream.transaction_id, set()).add(stream)
        self._by_merchant[stream.merchant_id] += 1
        OPEN_STREAMS.inc()
        self._look_at([stream.transaction_id])

    def close(self, stream: Stream) -> None:
        watching = self._streams[stream.transaction_id]
        watching.remove(stream)
        if not watching:
            del self._streams[stream.transaction_id]
        self._by_merchant[stream.merchant_id] -= 1
        OPEN_STREAMS.dec()

    def _end_with_server(self) -> None:
        """A server that is asked to stop waits for what is open, so streams end then; clients come back to its successor."""
        loop = asyncio.get_running_loop()

        def stop(*_: object) -> None:
            loop.call_soon_threadsafe(self.end_all)

        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # the server's own handlers hang on the loop and are called as before
            signal.signal(number, stop)

    def end_all(self) -> None:
        for stream in self._all():
            stream.end()

    def _all(self) -> list[Stream]:
        return [stream for watching in self._streams.values() for stream in watching]

    def _look_at(self, transaction_ids: Iterable[str]) -> None:
        self._due.update(self._streams.keys() & transaction_ids)
        if self._due:
            self._news.set()

    async def _feed(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(sweep_at):
                    await self._news.wait()
                due: Iterable[str] = self._due
            except TimeoutError:
                sweep_at = loop.time() + POLL_SECONDS
                due = self._streams
            asked = {pk: [stream for stream in self._streams.get(pk, ()) if stream.hungry] for pk in due}
            self._due = set()
            self._news.clear()
            await self._hand_out({pk: streams for pk, streams in asked.items() if streams})

    async def _hand_out(self, asked: Mapping[str, Sequence[Stream]]) -> None:
        """Give the streams that were asked for, and no other, what comes after the least that any of them has seen."""
        if not asked:
            return
        seen = {pk: min(stream.seen for stream in streams) for pk, streams in asked.items()}
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._reader, events_after, seen)
        except (
            Exception
        ) as exc:  # whatever it is, the next poll asks again; a dead reader would starve every stream in silence
            log.warning("live.poll_failed", streams=len(asked), error=type(exc).__name__, exc_info=exc)
            return
        for pk, events in found.items():
            for stream in asked[pk]:
                stream.give(events)

    async def _end_revoked(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CALLER_SECONDS)
            asked = {stream.credential for stream in self._all()}
            if not asked:
                continue
            try:
                valid = await loop.run_in_executor(self._reader, _still_valid, asked)
            except Exception as exc:  # as in _hand_out()
                log.warning("live.callers_unknown", error=type(exc).__name__, exc_info=exc)
                continue
            for stream in self._all():
                if stream.credential in asked - valid:
                    log.info("live.caller_revoked", transaction=stream.transaction_id)
                    stream.end()

    async def _listen(self) -> None:
        while True:
            try:
                async for transaction_ids in nudged():
                    self._look_at(transaction_ids)
            except (redis.RedisError, OSError) as exc:
                log.warning("live.redis_away", error=type(exc).__name__)
            await asyncio.sleep(REDIS_RETRY_SECONDS)


def _still_valid(credentials: Collection[str]) -> set[str]:
    close_old_connections()  # a connection that broke is replaced
    return still_valid(credentials, now=timezone.now())
