"""Rate limits: one atomic call to Redis per request, which looks at the credential's and the address's allowance together.

Requests that are refused use nothing up. While Redis is away each process counts for itself with half of the figures, and tries
Redis again every two seconds: a payment never fails and never waits because Redis is gone.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from merchants.rates import ADDRESS, per_minute

log = structlog.get_logger(__name__)

TICK_SECONDS = 10
PARTS = 60 // TICK_SECONDS  # an allowance is counted in parts of a request, so that a tick refills whole numbers
REDIS_TIMEOUT_SECONDS = 0.25
REDIS_RETRY_SECONDS = 2.0
_LOCAL_BUCKETS = 10_000

# KEYS: buckets; ARGV: their limits. A bucket is "parts left:time of the last tick". The same arithmetic is in _take().
_SCRIPT = f"""
local now, states = tonumber(redis.call('TIME')[1]), {{}}
for i, key in ipairs(KEYS) do
    local limit = tonumber(ARGV[i])
    local left, since = limit * {PARTS}, now
    local state = redis.call('GET', key)
    if state then
        local l, s = string.match(state, '^(%d+):(%d+)$')
        local ticks = math.floor((now - s) / {TICK_SECONDS})
        left = math.min(limit * {PARTS}, l + ticks * limit)
        since = s + ticks * {TICK_SECONDS}
        if left == limit * {PARTS} then since = now end
    end
    states[i] = {{left, since, limit}}
    if left < {PARTS} then return {{i, left, since, now}} end
end
for i, key in ipairs(KEYS) do
    local s = states[i]
    s[1] = s[1] - {PARTS}
    redis.call('SET', key, string.format('%d:%d', s[1], s[2]), 'EX', {60 + 2 * TICK_SECONDS})
end
return {{0, states[1][1], states[1][2], now}}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may go on, and the figures of the allowance that decided (the credential's if it may)."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: int  # epoch seconds: when the whole allowance is there again
    retry_after_seconds: int  # 0 if allowed

    def headers(self) -> dict[str, str]:
        """The headers of every limited answer."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_at),
        }
        return headers if self.allowed else headers | {"Retry-After": str(self.retry_after_seconds)}


def limit(*, scope: str, plan: str, credential: str | None, address: str) -> Verdict:
    """Count one request of `credential` (None: nobody we know) in `scope` from `address`. Never raises, never waits long.

    An address is counted per plan, so one merchant's large plan does not use up what another has behind the same address.
    """
    buckets = [] if credential is None else [(f"rate:{scope}:{credential}", per_minute(plan, scope))]
    buckets.append((f"rate:{ADDRESS}:{plan}:{address}", per_minute(plan, ADDRESS)))
    return _in_redis(buckets) or _in_process([(name, max(figure // 2, 1)) for name, figure in buckets])


def _verdict(buckets: Sequence[tuple[str, int]], refused: int, left: int, since: int, now: int) -> Verdict:
    """`refused` is the number of the bucket that is empty, from one; `left` and `since` are its state, else the first one's."""
    figure = buckets[max(refused - 1, 0)][1]
    missing = figure * PARTS - left
    wait = since + TICK_SECONDS * -(-(PARTS - left) // figure) - now if refused else 0
    return Verdict(
        allowed=not refused,
        limit=figure,
        remaining=left // PARTS,
        reset_at=since + TICK_SECONDS * -(-missing // figure),
        retry_after_seconds=max(wait, 1) if refused else 0,
    )


# -- in Redis ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _script(url: str) -> Script:
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=32,  # more threads than that take turns; a plain pool would refuse them as if Redis were away
        timeout=REDIS_TIMEOUT_SECONDS,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),  # once, for a connection that a restart of Redis had closed
    )
    client = redis.Redis(connection_pool=pool)
    return client.register_script(_SCRIPT)


_redis_retry_at = 0.0


def _in_redis(buckets: Sequence[tuple[str, int]]) -> Verdict | None:
    """None if Redis does not answer."""
    global _redis_retry_at
    if time.monotonic() < _redis_retry_at:
        return None
    try:
        answer = _script(settings.REDIS_URL)(keys=[name for name, _ in buckets], args=[figure for _, figure in buckets])
    except redis.RedisError as exc:
        _redis_retry_at = time.monotonic() + REDIS_RETRY_SECONDS
        log.warning("throttle.redis_away", error=type(exc).__name__)
        return None
    return _verdict(buckets, *answer)


# -- in this process, while Redis is away --------------------------------------------------------------------------------

_local: OrderedDict[str, tuple[int, int]] = OrderedDict()
_lock = threading.Lock()


def _in_process(buckets: Sequence[tuple[str, int]]) -> Verdict:
    with _lock:
        return _take(buckets, int(time.time()))


def _take(buckets: Sequence[tuple[str, int]], now: int) -> Verdict:
    """The script's arithmetic on `_local`."""
    states = []
    for number, (name, figure) in enumerate(buckets, start=1):
        left, since = _local.get(name, (figure * PARTS, now))
        ticks = (now - since) // TICK_SECONDS
        left, since = min(figure * PARTS, left + ticks * figure), since + ticks * TICK_SECONDS
        if left == figure * PARTS:
            since = now
        if left < PARTS:
            return _verdict(buckets, number, left, since, now)
        states.append((left - PARTS, since))
    for (name, _), state in zip(buckets, states, strict=True):
        _local[name] = state
        _local.move_to_end(name)
    while len(_local) > _LOCAL_BUCKETS:
        _local.popitem(last=False)
    return _verdict(buckets, 0, *states[0], now)
