"""Every state change leaves exactly one audit record and one fact, in the same statement as the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.ids import new_id
from common.models import AuditRecord, Fact
from common.rows import Rows


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the audit shows it ("merchant:KEDAI/cfk_1a2b", "operator:aisha", "system:sweep"), on which request."""

    name: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing that changed, at its new version."""

    type: str
    id: str
    version: int
    merchant_id: str
    live: bool


def record_change(
    rows: Rows,
    *,
    subject: Subject,
    fact: str,
    payload: Mapping[str, Any],
    changes: Mapping[str, list[Any]],
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> str:
    """Add the audit record and the fact of one change to `rows`. Returns the fact's id (the event id merchants see)."""
    fact_id = new_id("evt")
    rows.insert(
        AuditRecord,
        at=now,
        actor=actor.name,
        action=fact,
        subject_type=subject.type,
        subject_id=subject.id,
        version=subject.version,
        merchant_id=subject.merchant_id,
        reason=reason,
        request_id=actor.request_id,
        changes=dict(changes),
    )
    rows.insert(
        Fact,
        id=fact_id,
        name=fact,
        subject_type=subject.type,
        subject_id=subject.id,
        sequence=subject.version,
        merchant_id=subject.merchant_id,
        live=subject.live,
        payload=dict(payload),
        request_id=actor.request_id,
        created_at=now,
        published_at=None,
    )
    return fact_id
