"""When a delivery that failed is tried again: the ten steps of Standard Webhooks, three days in all, then never unless replayed."""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE, _HOUR = 60, 3600
STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        0,
        5,
        5 * _MINUTE,
        30 * _MINUTE,
        2 * _HOUR,
        5 * _HOUR,
        10 * _HOUR,
        14 * _HOUR,
        20 * _HOUR,
        24 * _HOUR,
    )
)
_JITTER = 0.1  # of the step, so that what failed together does not come back together
DISABLE_AFTER = timedelta(hours=120)  # of nothing but failures


def next_attempt(*, attempts: int, now: datetime, wait: timedelta, chance: float) -> datetime | None:
    """When to try again after `attempts` failures, None if that was the last.

    `wait` is what the receiver asked for (Retry-After), `chance` a random number of [0, 1).
    """
    if attempts >= len(STEPS):
        return None
    step = STEPS[attempts]
    return now + max(step + step * _JITTER * chance, wait)
