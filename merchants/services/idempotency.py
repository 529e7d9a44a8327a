"""Idempotency keys: the answer is stored by the statement that has the effect, so a repeat finds either both or neither.

Nothing is looked up first. The insert itself is the check: of two requests with one key the second waits on the unique index until
the first has committed, then fails, and the stored answer is read. Contracts section 2; reliability section 1D.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.errors import IdempotencyKeyReused
from common.rows import Rows
from merchants.models import IdempotencyRecord

CONSTRAINT = "idempotency_key_once"
KEPT = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, byte for byte."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key with the fingerprint (SHA-256 of method, path and canonical body) of the request that carries it."""

    merchant_id: str
    live: bool
    key: str
    fingerprint: bytes

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
            created_at=now,
        )

    def replace(self, reply: Reply) -> None:
        """Keep another answer: one that was held back until more was known. Who repeats gets what was answered first."""
        kept = IdempotencyRecord.objects.filter(merchant_id=self.merchant_id, live=self.live, key=self.key)
        kept.update(status=reply.status, body=reply.body)

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
        return self.find() or reply

    def find(self) -> Reply | None:
        """The answer given before, None if there is none. Raises IdempotencyKeyReused if it was for another request."""
        record = IdempotencyRecord.objects.filter(merchant_id=self.merchant_id, live=self.live, key=self.key).first()
        if record is None:
            return None
        if bytes(record.fingerprint) != self.fingerprint:
            raise IdempotencyKeyReused("This Idempotency-Key was used with another request. Use a new key.")
        return Reply(record.status, bytes(record.body))


def reap_records(*, now: datetime) -> int:
    """Delete answers older than 72 hours; the natural keys still protect. Returns how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT).delete()[0]
