"""Booking what a comparison reveals: one balanced journal entry for one fact, with its audit record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from common.changes import Actor, Subject, record_change
from common.rows import Rows
from payments.ledger.post import post
from payments.ledger.recipes import Leg


def book(
    rows: Rows,
    *,
    fact: str,
    subject: Subject,
    payload: Mapping[str, Any],
    legs: Sequence[Leg],
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> str:
    """Add fact, audit record and journal entry to `rows`. Returns the entry's id."""
    fact_id = record_change(
        rows, subject=subject, fact=fact, payload=payload, changes={}, actor=actor, now=now, reason=reason
    )
    return post(rows, fact_id=fact_id, fact_name=fact, transaction_id=None, legs=legs, now=now)
