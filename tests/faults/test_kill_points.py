"""The process dies at every named point of a payment's way, as by SIGKILL; afterwards everybody's books agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from payments.models import Refund, Transaction
from tests.faults.installation import ROOT, Installation
from tests.faults.oracle import assert_sound, ended
from tests.faults.shop import Shop


@dataclass(frozen=True, slots=True)
class Case:
    """The process that dies at `point`, while a payment or its refund passes there."""

    point: str
    process: str
    method: str = "fpx"
    amount: str = "120.00"
    refunding: bool = False
    refund_state: str = "SUCCEEDED"


CASES = (
    Case("create.before_write", "web"),
    Case("create.written", "web", method="migs"),
    Case("callback.stored", "web"),
    Case("callback.acted", "web", method="migs"),
    Case("refund.written", "web", refunding=True),
    Case("refund.committed", "web", method="migs", refunding=True),
    # Claimed and never sent: it is not sent again, and nothing was refunded.
    Case("operation.claimed", "worker", refunding=True, refund_state="FAILED"),
    Case("operation.answered", "worker", method="migs", refunding=True),
    Case("operation.recorded", "worker", refunding=True),
    Case("operation.looked_up", "worker", amount="4.00"),  # 4.00: charged, and only a look-up tells
    Case("relay.dispatched", "worker"),
    Case("relay.committed", "worker", method="migs"),
    Case("delivery.sent", "worker"),
    Case("delivery.recorded", "worker", method="migs"),
)


def named_points() -> Iterator[str]:
    for app in ("common", "merchants", "payments", "notifications", "reconciliation"):
        for path in (ROOT / app).rglob("*.py"):
            yield from re.findall(r'^\s+crashpoint\("([^"]+)"\)', path.read_text(), re.MULTILINE)


def test_every_named_point_is_swept():
    """Here, or in another module of this folder that names it."""
    named, here = set(named_points()), {case.point for case in CASES}
    elsewhere = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    assert here <= named
    assert {point for point in named - here if f'"{point}"' not in elsewhere} == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.point)
def test_a_process_that_dies_there_loses_and_doubles_nothing(installation: Installation, shop: Shop, case: Case):
    shop.on_silence = installation.revive
    installation.restart(case.process, crashpoint=case.point)

    order = shop.create(door="api", method=case.method, amount=case.amount, reference="one")
    shop.send_payer(order)
    transaction = Transaction.objects.get(merchant=shop.merchant)
    installation.until(
        lambda: status_of(transaction) == "COMPLETED" and (case.refunding or bool(installation.deaths)),
        f"{transaction.pk} COMPLETED{'' if case.refunding else ' after a death'}",
    )
    shop.refund(transaction.pk, amount="1.00")
    installation.until(lambda: bool(installation.deaths) and ended(shop), "death, recovery, and an end of everything")

    assert installation.deaths == [case.process]
    assert Refund.objects.get(transaction=transaction).state == case.refund_state
    assert_sound(shop)


def status_of(transaction: Transaction) -> str:
    transaction.refresh_from_db(fields=["status"])
    return transaction.status
