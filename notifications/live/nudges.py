"""Telling live processes which transactions have news, over Redis. A nudge that is lost costs a stream at most one poll's time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from functools import cache

import redis
import redis.asyncio
import redis.asyncio.retry
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

CHANNEL = "counterfoil:live"


def nudge_streams(transaction_ids: Collection[str]) -> None:
    """One message, whatever the number. Never raises."""
    if not transaction_ids:
        return
    try:
        _client(settings.REDIS_URL).publish(CHANNEL, " ".join(transaction_ids))
    except redis.RedisError as exc:
        log.warning("live.nudge_lost", transactions=len(transaction_ids), error=type(exc).__name__)


@cache
def _client(url: str) -> redis.Redis:
    """Kept, because the relay would connect for every batch."""
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))


async def nudged() -> AsyncIterator[list[str]]:
    """Transaction ids of each message from now on. Raises redis.RedisError when the connection is lost."""
    async with (
        redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=1,
            socket_keepalive=True,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),  # whoever listens tries again
            decode_responses=True,
        ) as client,
        client.pubsub(ignore_subscribe_messages=True) as subscription,
    ):
        await subscription.subscribe(CHANNEL)
        async for message in subscription.listen():
            yield message["data"].split(" ")
