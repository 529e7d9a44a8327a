"""Describing a mapped source's files. Each description is a version that two people agreed on; files say by which one they were read.

Which column is the amount decides whether a difference is seen at all, so nobody describes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from common.approvals import Act, Pin, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound
from common.models import Proposal
from reconciliation.models import FileFormat, Side, Source, SourceMapping
from reconciliation.parsers.mapped import BadMapping, mapping_of

MAP = "source.map"


def source_mapping_propose(
    *, source_code: str, mapping: Mapping[str, Any], by: User, reason: str, actor: Actor, now: datetime
) -> Proposal:
    """Ask that `mapping` (parsers.mapped.Table) is how the source's files are read from then on. Pinned: the version that holds.

    Raises NotFound, InvalidState (the source has a format of its own, or another one waits), InvalidRequest naming each field at fault, Forbidden.
    """
    source = Source.objects.filter(pk=source_code).first()
    if source is None:
        raise NotFound("There is no such source.")
    if source.format != FileFormat.MAPPED:
        raise InvalidState(f"The files of {source} are {source.get_format_display()}.")
    try:
        mapping_of(mapping, bank=source.side == Side.BANK)
    except BadMapping as exc:
        fields = {name: [problem] for name, problem in exc.problems.items()}
        raise InvalidRequest("The description is not whole.", fields=fields) from exc
    last = SourceMapping.objects.filter(source=source, version=source.mapping_version).first()
    row = {"source_id": source.pk, "version": source.mapping_version + 1, "mapping": dict(mapping)}
    return propose(
        kind=MAP,
        subject_type="source",
        subject_id=source.pk,
        summary=f"Read the files of {source} by version {row['version']} of its columns",
        reason=reason,
        pins=[Pin("reconciliation_source", source.pk, ("mapping_version",), key_column="code")],
        by=by,
        actor=actor,
        now=now,
        parameters={"row": row, "before": {"mapping": last.mapping} if last else None},
    )


def _lock(proposal: Proposal) -> None:
    Source.objects.select_for_update().get(pk=proposal.subject_id)


def _agree(proposal: Proposal, actor: Actor, now: datetime) -> None:
    row = proposal.parameters["row"]
    SourceMapping.objects.create(**row, created_by=proposal.proposed_by, created_at=now, proposal=proposal)
    Source.objects.filter(pk=row["source_id"]).update(mapping_version=row["version"])
    record_action(
        actor=actor,
        action="source.mapped",
        subject_type="source",
        subject_id=row["source_id"],
        reason=proposal.reason,
        changes={"mapping_version": [row["version"] - 1, row["version"]]},
        now=now,
    )


ACT = Act(
    kind=MAP,
    title="Describe a source's columns",
    may_propose="reconciliation.map_source",
    may_approve="reconciliation.approve_source",
    lock=_lock,
    execute=_agree,
)
