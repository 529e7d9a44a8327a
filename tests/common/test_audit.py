"""Sealing: every record gets its place in the chain, whatever time it states."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from common.audit import record_action, seal_audit, verify_chain
from common.changes import Actor
from common.models import AuditLink

pytestmark = pytest.mark.django_db


def test_a_record_of_a_long_job_that_states_its_beginning_is_sealed() -> None:
    now = timezone.now()
    said = {"actor": Actor("system:test"), "subject_type": "day"}
    record_action(**said, action="day.compared", subject_id="1", now=now)
    assert seal_audit() == 1
    record_action(**said, action="day.fetched", subject_id="2", now=now - timedelta(minutes=61))

    assert seal_audit() == 1

    assert list(AuditLink.objects.order_by("position").values_list("record__subject_id", flat=True)) == ["1", "2"]
    assert list(verify_chain(now=now)) == []
