"""The audit log: written with each change (common.changes), sealed into a hash chain here, verified by `verify_audit`.

Sealing is a batch under one advisory lock: it takes the records without a place in the chain, in id order, and appends them. The
head is also logged and written to `AUDIT_ANCHOR_FILE`, outside the database, so that cutting the tail off shows too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from common.changes import Actor
from common.models import AuditLink, AuditRecord

log = structlog.get_logger(__name__)

GENESIS = bytes(32)
_LOCK = 0x636F756E746572  # any constant: names the sealer's advisory lock
_LOOK_BACK = timedelta(hours=1)  # longer than any transaction may live, so no late commit is missed
UNSEALED_AFTER = timedelta(minutes=10)


def record_action(
    *,
    actor: Actor,
    action: str,
    subject_type: str,
    subject_id: str,
    now: datetime,
    merchant_id: str = "",
    reason: str = "",
    changes: dict[str, Any] | None = None,
) -> None:
    """Record an act that changes no versioned subject: a refused attempt, a replay, a setting, an export."""
    AuditRecord.objects.create(
        at=now,
        actor=actor.name,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        merchant_id=merchant_id,
        reason=reason,
        request_id=actor.request_id,
        changes=changes or {},
    )


def link_hash(record: AuditRecord, previous: bytes) -> bytes:
    """SHA-256 over the previous hash and the record's columns in a canonical form."""
    content = {
        field.attname: str(getattr(record, field.attname)) if field.attname != "changes" else record.changes
        for field in AuditRecord._meta.concrete_fields
    }
    return hashlib.sha256(previous + json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).digest()


def seal_audit(*, limit: int = 5000) -> int:
    """Append up to `limit` unsealed records to the chain. Returns how many. A second sealer at the same time does nothing."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            if not cursor.fetchone()[0]:
                return 0
        head = AuditLink.objects.order_by("-position").select_related("record").first()
        unsealed = AuditRecord.objects.filter(link=None)
        if head is not None:
            late = Q(at__gt=head.record.at - _LOOK_BACK)  # written before the head, committed after it was sealed
            unsealed = unsealed.filter(late | Q(pk__gt=head.record_id))  # whatever time those state that came after it
        position, previous = (head.position, bytes(head.hash)) if head else (0, GENESIS)
        links = []
        for record in unsealed.order_by("id")[:limit]:
            position += 1
            digest = link_hash(record, previous)
            links.append(AuditLink(position=position, record=record, previous_hash=previous, hash=digest))
            previous = digest
        AuditLink.objects.bulk_create(links, batch_size=1000)
    if links:
        _anchor(position, previous)
    return len(links)


def _anchor(position: int, head: bytes) -> None:
    log.info("audit.sealed", position=position, head=head.hex())
    if settings.AUDIT_ANCHOR_FILE:
        with Path(settings.AUDIT_ANCHOR_FILE).open("a", encoding="ascii") as file:
            file.write(f"{position} {head.hex()}\n")


def verify_chain(*, now: datetime) -> Iterator[str]:
    """Yield a sentence for everything wrong with the audit log; nothing when it is whole."""
    position, previous = 0, GENESIS
    anchors = _anchors()
    for link in AuditLink.objects.order_by("position").select_related("record").iterator(chunk_size=2000):
        position += 1
        if link.position != position:
            yield f"link {position} is missing (the next one there is {link.position})"
            return
        if bytes(link.previous_hash) != previous:
            yield f"link {position} does not follow the one before it"
        if bytes(link.hash) != link_hash(link.record, bytes(link.previous_hash)):
            yield f"audit record {link.record_id} at link {position} was changed after it was sealed"
        previous = bytes(link.hash)
        if anchors.get(position, previous) != previous:
            yield f"link {position} is not the one that was anchored outside the database"
    if anchors and max(anchors) > position:
        yield f"the chain ends at {position}, but {max(anchors)} links were anchored: the tail was cut off"
    for record in AuditRecord.objects.filter(link=None, at__lt=now - UNSEALED_AFTER).order_by("id")[:10]:
        yield f"audit record {record.pk} of {record.at:%Y-%m-%d %H:%M:%S} was never sealed"


def _anchors() -> dict[int, bytes]:
    path = Path(settings.AUDIT_ANCHOR_FILE or "/nonexistent")
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {int(position): bytes.fromhex(head) for position, head in pairs}
