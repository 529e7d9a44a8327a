"""When an operation whose outcome is not known is looked up again. Often while a payer waits, then ever more rarely, never never."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

EXPIRY_GRACE = timedelta(seconds=60)  # between a payer's deadline and giving up
OVERDUE_AFTER = timedelta(hours=24)  # a person hears of an outcome that is still unknown
_NOT_FOUND_LOOK_UPS = 3

_DAY = timedelta(days=1)


def lease_end(now: datetime) -> datetime:
    """When a claim that is made now lapses: its worker is dead then."""
    return now + timedelta(seconds=settings.OPERATION_LEASE_SECONDS)


def never_arrived(*, sent_at: datetime, look_ups: int, now: datetime) -> bool:
    """Whether a provider that still does not know an operation will never know it."""
    return look_ups >= _NOT_FOUND_LOOK_UPS and now >= sent_at + timedelta(seconds=settings.NOT_FOUND_SECONDS)


def next_look_up(*, look_ups: int, waiting_for_payer: bool, now: datetime) -> datetime:
    """The time of look-up number `look_ups` + 1."""
    steps = settings.PAYER_LOOK_UP_SECONDS if waiting_for_payer else settings.UNKNOWN_LOOK_UP_SECONDS
    return now + (timedelta(seconds=steps[look_ups]) if look_ups < len(steps) else _pause(steps, waiting_for_payer))


def _pause(steps: tuple[int, ...], waiting_for_payer: bool) -> timedelta:
    return timedelta(seconds=steps[-1]) if waiting_for_payer else _DAY


def next_send(*, sends: int, now: datetime) -> datetime:
    """When to try again what surely was not sent: 1, 2, 4, ... at most 60 seconds."""
    return now + timedelta(seconds=min(2**sends, 60))


def next_try(*, failures: int, now: datetime) -> datetime:
    """When to try again what fails by itself, whatever the provider says: 1, 2, 4, ... minutes, at most an hour."""
    return now + min(timedelta(minutes=2 ** min(failures - 1, 6)), timedelta(hours=1))


MAX_SENDS = 12
STUCK_AFTER = 6  # failures before a person hears of it, about half an hour
