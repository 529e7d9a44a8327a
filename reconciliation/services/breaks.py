"""Work on breaks that decides nothing: who has it, until when, what was found out. Each is in the audit log.

A due date that is set forward carries the break forward; asking the provider takes in its answer as a callback would, and so does taking a
statement's word for what had ended.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction as database

from common.audit import record_action
from common.cards import contains_card_number
from common.changes import Actor
from common.errors import CardDataNotAllowed, Forbidden, InvalidRequest, InvalidState, NotFound
from common.queue import nudge
from payments.providers.base import Outcome, ProviderResult
from payments.services.advance import Effect, payment_advance
from payments.services.operations import operation_look_up
from reconciliation.models import Break, BreakComment, BreakFilter
from reconciliation.services.claims import came_after_the_end

WORK = "reconciliation.work_break"


def breaks_assign(*, break_ids: Collection[int], owner: User | None, by: User, actor: Actor, now: datetime) -> int:
    """Give open breaks to somebody (None: to nobody). Returns how many changed hands. Raises Forbidden."""
    if owner is not None and not (owner.is_active and owner.is_staff and owner.has_perm(WORK)):
        raise Forbidden(f"{owner.get_username()} does not work on breaks.")
    return _change(break_ids, "break.assigned", {"owner": owner}, by, "", actor, now)


def breaks_set_due(
    *, break_ids: Collection[int], due_on: date | None, reason: str, by: User, actor: Actor, now: datetime
) -> int:
    """Say until when; a later day carries them forward, with a reason. Returns how many changed."""
    return _change(break_ids, "break.due_set", {"due_on": due_on}, by, reason, actor, now)


def breaks_comment(*, break_ids: Collection[int], text: str, by: User, actor: Actor, now: datetime) -> int:
    """Note something about breaks, resolved ones too; what the same person has said of one already is not said twice. Returns how many."""
    _refuse_unless(by)
    text = text.strip()
    if not text or len(text) > 2000:
        raise InvalidRequest("A comment has 1 to 2000 characters.", fields={"comment": ["1 to 2000 characters."]})
    if contains_card_number(text):
        raise CardDataNotAllowed("The comment holds a card number. Leave it out.")
    with database.atomic():
        rows = Break.objects.filter(pk__in=break_ids).order_by("pk").select_for_update(no_key=True)
        locked = list(rows.values_list("pk", flat=True))
        before = BreakComment.objects.filter(break_item__in=locked, author=by, text=text)
        said = set(before.values_list("break_item", flat=True))
        found = [pk for pk in locked if pk not in said]
        BreakComment.objects.bulk_create([BreakComment(break_item_id=pk, author=by, text=text, at=now) for pk in found])
        for pk in found:
            _record("break.commented", pk, "", {"comment": [None, text[:200]]}, actor, now)
    return len(found)


def break_filter_save(*, owner: User, name: str, query: str, now: datetime) -> BreakFilter:
    """Keep the queue's filters under a name of this person's; the same name again replaces it. Raises InvalidRequest."""
    name = name.strip()
    if not name or len(name) > 60 or len(query) > 500:
        raise InvalidRequest("A filter's name has 1 to 60 characters.", fields={"name": ["1 to 60 characters."]})
    found, _ = BreakFilter.objects.update_or_create(
        owner=owner, name=name, defaults={"query": query}, create_defaults={"query": query, "created_at": now}
    )
    return found


def break_filter_remove(*, owner: User, filter_id: int) -> None:
    """Forget one of this person's own filters."""
    BreakFilter.objects.filter(owner=owner, pk=filter_id).delete()


def break_ask(*, break_id: int, reason: str, by: User, actor: Actor, now: datetime) -> Effect | None:
    """Ask the provider what became of the break's operation; what it says may explain the break, so the day is compared again.

    Of one that had ended for us without money its statement has answered: a success that came late, which waits in suspense until people have decided.
    None: it has ended or was never sent. Raises NotFound, InvalidState (no operation of ours), Forbidden.
    """
    if not by.has_perm("payments.look_up_operation"):
        raise Forbidden("You may not ask the provider.")
    found = Break.objects.select_related("operation", "line").filter(pk=break_id).first()
    if found is None:
        raise NotFound("There is no such break.")
    if found.operation is None:
        raise InvalidState("There is no operation of ours to ask about.")
    _record("break.asked", found.pk, reason, {"operation": [None, found.operation.reference]}, actor, now)
    came = came_after_the_end(found.operation, found.line) if found.line and found.resolved_at is None else None
    if came is not None:
        said = ProviderResult(Outcome.SUCCEEDED, amount=came, reason="Its statement lists it.")
        return payment_advance(operation_id=found.operation.pk, result=said, actor=actor, now=now)
    effect = operation_look_up(operation_id=found.operation.pk, now=now, actor=actor)
    if effect is Effect.MOVED:
        nudge("reconciliation.compare", provider=found.provider, live=str(found.live), day=found.day.isoformat())
    return effect


def _change(
    break_ids: Collection[int],
    action: str,
    values: dict[str, Any],
    by: User,
    reason: str,
    actor: Actor,
    now: datetime,
) -> int:
    _refuse_unless(by)
    changed = 0
    with database.atomic():
        rows = (
            Break.objects.filter(pk__in=break_ids, resolved_at=None)
            .order_by("pk")
            .select_for_update(no_key=True, of=("self",))
        )
        for row in rows:
            before = {name: getattr(row, name) for name in values}
            if before == values:
                continue
            for name, value in values.items():
                setattr(row, name, value)
            row.save(update_fields=list(values))
            changes = {name: [_text(before[name]), _text(values[name])] for name in values}
            _record(action, row.pk, reason, changes, actor, now)
            changed += 1
    return changed


def _refuse_unless(by: User) -> None:
    if not by.has_perm(WORK):
        raise Forbidden("You do not work on breaks.")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _record(action: str, pk: int, reason: str, changes: dict[str, Any], actor: Actor, now: datetime) -> None:
    record_action(
        actor=actor, action=action, subject_type="break", subject_id=str(pk), reason=reason, changes=changes, now=now
    )
