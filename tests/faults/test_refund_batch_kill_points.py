"""The worker dies in the middle of a batch of refunds, again and again: each refund is asked for once."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings

from payments.models import Refund
from payments.services.refund_batch_run import refund_batch_run
from payments.services.refund_files import Wanted
from tests.factories import ProviderAccountFactory, captured_transaction
from tests.faults.installation import ROOT
from tests.payments.test_refund_batches import LATER, approved

pytestmark = pytest.mark.django_db(transaction=True)

_RUN = """
import django; django.setup()
from datetime import datetime
from payments.services.refund_batch_run import refund_batch_run
refund_batch_run(batch_id={batch!r}, now=datetime.fromisoformat({now!r}))
"""


@pytest.mark.parametrize(
    ("point", "asked_by_each_run"),
    [("refund_batch.item_written", [0, 0]), ("refund_batch.item_committed", [1, 2, 3])],
)
def test_a_batch_that_is_killed_refunds_nothing_twice(
    point: str, asked_by_each_run: list[int], app_role_url: str, process_environment: dict[str, str]
) -> None:
    account = ProviderAccountFactory()
    batch = approved(account, *(Wanted(n, captured_transaction(account).pk) for n in range(2, 6)))
    environment = process_environment | {
        "DATABASE_URL": app_role_url,
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
        "COUNTERFOIL_CRASHPOINT": point,
    }

    asked = []
    for _ in asked_by_each_run:
        code = _RUN.format(batch=batch.pk, now=LATER.isoformat())
        died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=60, check=False)
        assert died.returncode == 137
        asked.append(Refund.objects.count())

    assert asked == asked_by_each_run
    refund_batch_run(batch_id=batch.pk, now=LATER + timedelta(minutes=5))
    batch.refresh_from_db()
    assert (batch.state, Refund.objects.count()) == ("DONE", 4)
    assert set(batch.items.values_list("state", flat=True)) == {"REQUESTED"}
