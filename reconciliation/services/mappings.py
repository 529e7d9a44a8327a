"""Describing a mapped source's files. Each description is a version; files say by which one they were read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound
from reconciliation.models import FileFormat, Side, Source, SourceMapping
from reconciliation.parsers.mapped import BadMapping, mapping_of


def source_mapping_save(
    *, source_code: str, mapping: Mapping[str, Any], by: User | None, actor: Actor, now: datetime
) -> SourceMapping:
    """Make `mapping` (parsers.mapped.Table) how the source's files are read from now on.

    Raises NotFound, InvalidState (the source has a format of its own), InvalidRequest naming each field at fault.
    """
    with database.atomic():
        source = Source.objects.select_for_update().filter(pk=source_code).first()
        if source is None:
            raise NotFound("There is no such source.")
        if source.format != FileFormat.MAPPED:
            raise InvalidState(f"The files of {source} are {source.get_format_display()}.")
        try:
            mapping_of(mapping, bank=source.side == Side.BANK)
        except BadMapping as exc:
            fields = {name: [problem] for name, problem in exc.problems.items()}
            raise InvalidRequest("The description is not whole.", fields=fields) from exc
        before = source.mapping_version
        source.mapping_version = before + 1
        source.save(update_fields=["mapping_version"])
        saved = SourceMapping.objects.create(
            source=source, version=source.mapping_version, mapping=dict(mapping), created_by=by, created_at=now
        )
        record_action(
            actor=actor,
            action="source.mapped",
            subject_type="source",
            subject_id=source.pk,
            changes={"mapping_version": [before, saved.version]},
            now=now,
        )
    return saved
