"""Rows that change by two people only: a proposal has the whole row as it should be, and the database lets nothing else in.

What they agree on are columns; `common.triggers.as_agreed` compares them with the proposal, one by one, so neither a service that forgets to ask nor
SQL by hand changes them. Columns that are not listed (a name, a version counter) change as usual.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Model

from common.approvals import Act, Changed, Pin, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest, InvalidState
from common.models import Proposal


def row_of(instance: Model, columns: tuple[str, ...]) -> dict[str, Any]:
    """The columns as JSON says them: the same as `to_jsonb` of the saved row (times without fractions of a second)."""
    return {name: _plain(getattr(instance, name)) for name in columns}


def read_row(model: type[Model], row: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `row_of` wrote, as the model holds them."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in row.items()}


def changes_of(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What changes, by column: [before, after]."""
    known = before or {}
    return {name: [known.get(name), value] for name, value in row.items() if before is None or known.get(name) != value}


def label_of(model: type[Model], column: str) -> str:
    """What pages call a column."""
    field = next(field for field in model._meta.concrete_fields if field.attname == column)
    return str(field.verbose_name)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    return "none" if value in (None, "") else str(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date | time) else value


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of row that is changed in place, and what two people agree on of it.

    `about` names a row for the list of proposals, the same for one that is not there yet; `fill` sets what a new row has besides (id, time).
    """

    kind: str
    title: str
    subject: str
    model: type[Model]
    columns: tuple[str, ...]
    may_propose: str
    may_approve: str
    about: Callable[[Any], str]
    fill: Callable[[Any, datetime], None]

    @property
    def act(self) -> Act:
        return Act(self.kind, self.title, self.may_propose, self.may_approve, self._lock, self._agree)

    def shown(self, row: Model) -> str:
        """A digest of what two people agreed on of the row, for a form to carry: whether it is still what its reader saw."""
        return sha256(json.dumps(row_of(row, self.columns), sort_keys=True).encode()).hexdigest()

    @database.atomic
    def propose(
        self, *, wanted: Model, reason: str, by: User, actor: Actor, now: datetime, shown: str | None = None
    ) -> Proposal:
        """Ask that the row becomes `wanted`, which is not saved; without a key, or with one that is not there yet, it is new.

        Pinned: the columns as they are. `shown`: what `shown` said of the row from which `wanted` was made; without it nobody was shown any.
        Raises InvalidRequest (nothing changes, or a value is not allowed), InvalidState (the row is not as shown) and as common.approvals.propose does.
        """
        _refuse_invalid(wanted)
        # Locked, so that no other agreement comes between what is compared here and the pin.
        found = self.model._default_manager.select_for_update(no_key=True).filter(pk=wanted.pk)
        before = found.first() if wanted.pk else None
        if shown is not None and before is not None and shown != self.shown(before):
            raise InvalidState(
                "It has changed since this form was opened. Open it again: your change would take that back."
            )
        row, known = row_of(wanted, self.columns), row_of(before, self.columns) if before else None
        if row == known:
            raise InvalidRequest("Nothing would change.")
        return propose(
            kind=self.kind,
            subject_type=self.subject,
            subject_id=self.about(wanted),
            summary=self._summary(wanted, changes_of(known, row) if before else None),
            reason=reason,
            pins=[self._pin(before)] if before else [],
            by=by,
            actor=actor,
            now=now,
            parameters={"row": row, "before": known, "key": before.pk if before else None},
        )

    def _summary(self, wanted: Model, changes: Mapping[str, list[Any]] | None) -> str:
        if changes is None:
            return f"{wanted}, which is new"
        said = "; ".join(
            f"{label_of(self.model, name)} {_word(old)} to {_word(new)}" for name, (old, new) in changes.items()
        )
        return f"{wanted}: {said}"

    @property
    def key(self) -> str:
        """The column of the primary key."""
        return next(str(field.column) for field in self.model._meta.concrete_fields if field.primary_key)

    def _pin(self, row: Model) -> Pin:
        return Pin(self.model._meta.db_table, str(row.pk), self.columns, key_column=self.key)

    def _lock(self, proposal: Proposal) -> None:
        list(self.model._default_manager.select_for_update().filter(pk=proposal.parameters["key"]))

    def _agree(self, proposal: Proposal, actor: Actor, now: datetime) -> None:
        key, row = proposal.parameters["key"], proposal.parameters["row"]
        instance: Any = self.model._default_manager.get(pk=key) if key is not None else self.model()
        for name, value in read_row(self.model, row).items():
            setattr(instance, name, value)
        instance.proposal = proposal
        if key is None:
            self.fill(instance, now)
        try:
            _refuse_invalid(instance)
        except InvalidRequest as exc:
            raise Changed(f"{exc.message} The proposal is void.") from exc
        if key is None:
            instance.save(force_insert=True)
        else:
            instance.save(update_fields=[*(name for name in self.columns if name != self.key), "proposal"])
        record_action(
            actor=actor,
            action=f"{self.subject}.{'changed' if key is not None else 'added'}",
            subject_type=self.subject,
            subject_id=str(instance.pk),
            reason=proposal.reason,
            changes=changes_of(proposal.parameters["before"], row),
            now=now,
        )


def _refuse_invalid(instance: Model) -> None:
    try:
        instance.full_clean(exclude=["id", "created_at", "proposal"])
    except ValidationError as exc:
        raise InvalidRequest(" ".join(exc.messages)) from exc
