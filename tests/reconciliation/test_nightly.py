"""The nightly job against the real sandbox: real payments, real statements, resumable, one at a time."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from reconciliation.models import Break, Match, ReconciliationRun, Statement
from reconciliation.services.locks import only_one
from reconciliation.services.nightly import reconcile_yesterday
from tests.factories import ProviderAccountFactory
from tests.reconciliation.given import open_kinds
from tests.reconciliation.sandbox_day import open_shop, pay, refund
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


def tomorrow_morning() -> datetime:
    """Two in the night after today in Kuala Lumpur."""
    return timezone.now() + timedelta(days=1)


@pytest.fixture
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> SandboxProcess:
    process = SandboxProcess(tmp_path_factory.mktemp("reconciliation")).start()
    yield process
    process.stop()
