"""What the books have of an operation with its provider, as SQL over `o` (operation).

What a success brought is its amount. A conflict, and a success that came after the end, were booked as the provider said, whatever state the operation is in; people
decide what that is, and "the provider has put it right" takes back what nobody had accepted of it. The conditions are looked up in the few questions
there are, once per statement (a hashed IN), because they are asked of every operation of a day. Amounts in minor units, not signed.
"""

from __future__ import annotations

_QUESTIONS = "SELECT q.operation_id FROM review_item q WHERE q.kind IN ('CONFLICT', 'LATE_SUCCESS') AND q.operation_id IS NOT NULL"

QUESTIONED = f"o.id IN ({_QUESTIONS})"
UNDECIDED = f"o.id IN ({_QUESTIONS} AND q.state <> 'CLOSED')"
DECIDED = f"o.id IN ({_QUESTIONS} AND q.state = 'CLOSED')"

_OF_QUESTION = """(SELECT {what} FROM review_item q LEFT JOIN proposal d ON d.id = q.proposal_id
    WHERE q.operation_id = o.id AND q.kind IN ('CONFLICT', 'LATE_SUCCESS'))"""
_MOVED = _OF_QUESTION.format(
    what="""CASE WHEN q.decision = 'WRITE_OFF' AND NOT (d.parameters ->> 'keep')::boolean THEN q.accepted_minor
         ELSE coalesce(replace(q.details ->> 'providerSaid', '.', '')::bigint, o.amount_minor) END"""
)
_CURRENCY = _OF_QUESTION.format(what="q.currency")

# NULL if nothing was booked.
BOOKED = f"CASE WHEN {QUESTIONED} THEN {_MOVED} WHEN o.state IN ('SUCCEEDED', 'CONFLICTED') THEN o.amount_minor END"
BOOKED_CURRENCY = f"CASE WHEN {QUESTIONED} THEN {_CURRENCY} ELSE o.currency END"

# What a line is compared with: what was asked for, or what was booked once people have decided.
COMPARED = f"CASE WHEN {DECIDED} THEN {_MOVED} ELSE o.amount_minor END"
COMPARED_CURRENCY = f"CASE WHEN {DECIDED} THEN {_CURRENCY} ELSE o.currency END"
