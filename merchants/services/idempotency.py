"""Idempotency keys: the answer is stored by the statement that has the effect, so a repeat finds either both or neither.

Nothing is looked up first. The insert itself is the check: of two requests with one key the second waits on the unique index until
the first has committed, then fails, and the stored answer is read. Contracts section 2; reliability section 1D.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.errors import IdempotencyKeyReused, RequestInProgress
from common.rows import Rows
from merchants.models import IdempotencyRecord

CONSTRAINT = "idempotency_key_once"
KEPT = timedelta(hours=72)
HOLD_GRACE = timedelta(seconds=10)  # for what comes after the wait


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, byte for byte."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key with the fingerprint (SHA-256 of method, path and canonical body) of the request that carries it.

    `held_seconds`: how long the answer may be held back after the effect. Until then nobody was given it, so a repeat is told to wait;
    if the first caller never gets to answer, what was stored with the effect becomes the answer.
    """

    merchant_id: str
    live: bool
    key: str
    fingerprint: bytes
    held_seconds: int = 0

    def store(self, rows: Rows, reply: Reply, *, now: datetime) -> None:
        """Add the answer to the statement that has the effect."""
        rows.insert(
            IdempotencyRecord,
            merchant_id=self.merchant_id,
            live=self.live,
            key=self.key,
            fingerprint=self.fingerprint,
            status=reply.status,
            body=reply.body,
            held_until=now + timedelta(seconds=self.held_seconds) + HOLD_GRACE if self.held_seconds else None,
            created_at=now,
        )

    def let_go(self, reply: Reply) -> Reply:
        """Keep `reply` instead of what was stored, and hold it back no longer. Returns what to answer: somebody was faster if it differs."""
        kept = IdempotencyRecord.objects.filter(merchant_id=self.merchant_id, live=self.live, key=self.key)
        if kept.filter(held_until__isnull=False).update(status=reply.status, body=reply.body, held_until=None):
            return reply
        record = kept.get()
        return Reply(record.status, bytes(record.body))

    def store_refusal(self, reply: Reply, *, now: datetime) -> Reply:
        """Keep a refusal that was given after execution began. Returns what is stored, which an earlier request may have put."""
        rows = Rows()
        rows.insert_if_missing(
            IdempotencyRecord,
            merchant_id=self.merchant_id,
            live=self.live,
            key=self.key,
            fingerprint=self.fingerprint,
            status=reply.status,
            body=reply.body,
            created_at=now,
        )
        rows.write()
        return self.find(now=now) or reply

    def find(self, *, now: datetime) -> Reply | None:
        """The answer given before, None if there is none.

        Raises IdempotencyKeyReused if it was for another request, RequestInProgress while it is held back.
        """
        record = IdempotencyRecord.objects.filter(merchant_id=self.merchant_id, live=self.live, key=self.key).first()
        if record is None:
            return None
        if bytes(record.fingerprint) != self.fingerprint:
            raise IdempotencyKeyReused("This Idempotency-Key was used with another request. Use a new key.")
        if record.held_until is not None:
            if record.held_until > now:
                raise RequestInProgress(
                    "The first request with this Idempotency-Key is still being answered. Try again."
                )
            # Its caller is gone. From here on what was stored is the answer, even if that caller should come back.
            IdempotencyRecord.objects.filter(pk=record.pk, held_until__isnull=False).update(held_until=None)
            record.refresh_from_db()
        return Reply(record.status, bytes(record.body))


def reap_records(*, now: datetime) -> int:
    """Delete answers older than 72 hours; the natural keys still protect. Returns how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT).delete()[0]
