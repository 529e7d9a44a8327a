"""Who sends payouts, or takes in what the bank shows of them, dies at every named point: nobody is paid twice and nothing is booked twice."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings

from payments.models import Posting
from reconciliation.models import Payout, PayoutFile
from reconciliation.services.payout_files import payouts_send
from tests.faults.installation import ROOT
from tests.payments.verify.books import wrong
from tests.reconciliation.paying import LATER, a_bank, bank_lines, our_bank, proven, released, to_bank

pytestmark = pytest.mark.django_db(transaction=True)

_SEND = """
import django; django.setup()
from datetime import datetime
from reconciliation.services.payout_files import payouts_send
payouts_send(now=datetime.fromisoformat({now!r}))
"""
_PROVE = """
import django; django.setup()
from tests.reconciliation.paying import proven
proven()
"""


@pytest.fixture
def dies_at(app_role_url: str, process_environment: dict[str, str]):
    def run(point: str, code: str) -> None:
        environment = process_environment | {
            "DATABASE_URL": app_role_url,
            "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
            "COUNTERFOIL_CRASHPOINT": point,
        }
        died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=60, check=False)
        assert died.returncode == 137

    return run


@pytest.mark.parametrize(
    ("point", "files", "sent", "sent_after"),
    [("payout_file.made", 0, 0, 1), ("payout_file.claimed", 1, 0, 1), ("payout_file.answered", 1, 1, 2)],
)
def test_a_sender_that_is_killed_pays_nobody_twice(point: str, files: int, sent: int, sent_after: int, dies_at) -> None:
    with a_bank() as bank:
        our_bank(bank.url)
        released(to_bank())

        dies_at(point, _SEND.format(now=LATER.isoformat()))

        assert (PayoutFile.objects.count(), len(bank.bodies)) == (files, sent)
        payouts_send(now=LATER + timedelta(minutes=1))  # within the lease nobody takes it over
        payouts_send(now=LATER + timedelta(minutes=3))
        assert (len(bank.bodies), PayoutFile.objects.get().state) == (sent_after, "ACCEPTED")
        assert len(set(bank.bodies)) == 1  # the very same message, which a bank books once
    assert Payout.objects.get().state == "SENT"
    assert wrong() == {}


def test_a_proof_that_is_killed_is_taken_in_once(dies_at) -> None:
    our_bank()
    [payout] = released(to_bank())
    payouts_send(now=LATER)
    bank_lines((payout.end_to_end_id, -payout.amount_minor))

    dies_at("payout.proven", _PROVE)

    assert not Posting.objects.filter(account__kind="bank").exists()
    assert (proven().paid, proven().paid) == (1, 0)
    assert wrong() == {}
