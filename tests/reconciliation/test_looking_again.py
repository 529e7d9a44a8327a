"""A run looks at the open breaks that may have changed: looking at all of them again finds nothing else, whatever happened before it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction as database
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st

from common.approvals import approve
from common.errors import CounterfoilError
from common.money import Money
from payments.models import Operation
from payments.services.captures import capture_request
from reconciliation.models import Break
from reconciliation.services.resolutions import MATCH, WRITE_OFF, propose_resolution
from tests.factories import ProviderAccountFactory, new_transaction, sale_of, settle
from tests.factories.agreed import source_agreed
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, NOON, Listed, imported, listed, reconciled
from tests.reconciliation.people import person

pytestmark = pytest.mark.django_db

AUTHORISED = 10_000
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(0, 3), st.integers(0, 1)),
        st.tuples(st.just("begin"), st.integers(0, 1), st.integers(0, 8)),
        st.tuples(st.just("settle"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("capture"), st.integers(0, 2), st.sampled_from([4_000, 6_000])),
        st.tuples(st.just("list"), st.integers(0, 7), st.integers(0, 8)),
        st.tuples(st.just("list"), st.integers(0, 7), st.integers(0, 8)),
        st.tuples(st.just("night"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("by hand"), st.integers(0, 5), st.integers(0, 5)),
        st.tuples(st.just("price"), st.sampled_from([0, 7]), st.integers(0, 0)),
    ),
    min_size=8,
    max_size=24,
)


# Each is about another thing that stirs a break; the last about a part with a line of its own, beside a line for all parts.
TOLD_LATER = [("begin", 1, 8), ("night", 0, 0), ("settle", 0, 0)]
COMES_LATER = [("list", 4, 6), ("night", 0, 0), ("pay", 0, 0)]
TAKEN_BY_ANOTHER = [("pay", 0, 0), ("list", 0, 2), ("list", 0, 2), ("night", 0, 0), ("by hand", 0, 0)]
ANOTHER_LINE = [("pay", 0, 0), ("list", 0, 2), ("night", 0, 0), ("list", 0, 2)]
CHOSEN_BY_HAND = [("pay", 0, 0), ("pay", 0, 0), ("list", 4, 6), ("night", 0, 0), ("by hand", 0, 0)]
SECOND_PART = [("capture", 0, 4_000), ("list", 1, 7), ("night", 0, 0), ("capture", 0, 6_000)]
AROUND_MIDNIGHT = [("pay", 0, 1), ("list", 0, 2), ("night", 0, 0), ("night", 1, 0)]
OTHER_PRICE = [("pay", 0, 0), ("list", 0, 3), ("night", 0, 0), ("price", 7, 0)]
A_PART_TOO = [("capture", 0, 4_000), ("capture", 0, 6_000), ("list", 0, 0), ("list", 1, 3)]


class World:
    """Two accounts of one provider; what is listed waits for the night of its day."""

    def __init__(self) -> None:
        self.now, self.day, self.serial = NEXT_MORNING, DAY, 0
        self.account = ProviderAccountFactory(provider="migs")
        self.holding = ProviderAccountFactory(provider="migs", mode="authorise", merchant=self.account.merchant)
        self.maker, self.second = person("maker"), person("second", "finance_lead")
        source_agreed("migs", fee_basis_points=0, fee_fixed_minor=0, fee_fixed_business_minor=0)
        self.basis_points = 0
        self.operations: list[Operation] = []
        self.waiting: list[Listed] = []
        self.holds: list[str] = []

    def noon(self) -> datetime:
        return NOON + (self.day - DAY)

    def _add(self, operation: Operation) -> None:
        operation.refresh_from_db()
        self.operations.append(operation)

    def pay(self, pool: int, late: int) -> None:
        at = self.noon() + late * timedelta(hours=11, minutes=52)  # the provider's clock may show tomorrow
        sale = sale_of(new_transaction(self.account, now=at).transaction)
        settle(sale, provider_reference=f"{7000 + pool}", now=at)
        self._add(sale)

    def begin(self, listed_too: int, how: int) -> None:
        self._add(sale_of(new_transaction(self.account, now=self.noon()).transaction))
        if listed_too:
            self.list(len(self.operations) - 1, how)

    def settle(self, pool: int, which: int) -> None:
        pending = [x for x in self.operations if x.ended_at is None]
        if pending:
            sale = pending[which % len(pending)]
            settle(sale, provider_reference=f"{7000 + pool}", now=self.noon())
            sale.refresh_from_db()

    def capture(self, which: int, minor: int) -> None:
        if which >= len(self.holds):
            hold = new_transaction(self.account, manual_capture=True, now=self.noon()).transaction
            settle(sale_of(hold), now=self.noon())
            self.holds.append(hold.pk)
            self.operations.append(sale_of(hold))
        hold_id = self.holds[which % len(self.holds)]
        try:
            capture_request(
                transaction_id=hold_id, amount=Money(minor, "MYR"), final=False, actor=ACTOR, now=self.noon()
            )
        except CounterfoilError:
            return
        capture = Operation.objects.get(payment__transaction=hold_id, kind="CAPTURE", state="QUEUED")
        Operation.objects.filter(pk=capture.pk).update(state="SENT", sends=1, sent_at=self.noon())
        self.serial += 1
        settle(capture, provider_reference=f"{8000 + self.serial}", now=self.noon())
        self._add(capture)

    def list(self, which: int, how: int) -> None:
        """A line of an operation, honest (0, 1) or not."""
        self.serial += 1
        if which < len(self.operations):
            operation = self.operations[which]
            line = listed(operation, fee=0, status="0", at=self.noon(), type="PURCHASE")
        else:
            line = Listed(
                self.account.account_key, "", f"EPG4{which}", fee=0, status="0", at=self.noon(), type="PURCHASE"
            )
        unique = f"{9000 + self.serial}"
        match how:
            case 0 | 1 if line.provider_reference and not any(
                x.provider_reference == line.provider_reference for x in self.waiting
            ):
                pass
            case 2:
                line = replace(line, provider_reference=unique, minor=line.minor + 1)
            case 3:
                line = replace(line, provider_reference=unique, fee=7)
            case 4:
                line = replace(line, provider_reference=unique, currency="USD")
            case 5:
                line = replace(line, provider_reference=unique, status="9")
            case 6:
                line = replace(line, provider_reference=f"{7000 + which % 4}", reference=f"EPG5{self.serial}")
            case 7:
                line = replace(line, provider_reference=unique, minor=AUTHORISED)
            case 8:
                line = replace(line, provider_reference=unique, minor=6_000)
            case _:
                line = replace(line, provider_reference=unique)
        self.waiting.append(line)

    def night(self, again: int, _: int) -> None:
        self.now += timedelta(hours=1)
        for account in (self.account, self.holding):
            imported(account, [x for x in self.waiting if x.account == account.account_key], day=self.day, now=self.now)
        reconciled(self.account, day=self.day, now=self.now)
        self.nothing_else_is_found(self.day)
        if again:
            reconciled(self.account, day=self.day - timedelta(days=1), now=self.now)
            self.nothing_else_is_found(self.day - timedelta(days=1))
        self.waiting = []
        self.day += timedelta(days=1)
        self.now += timedelta(days=1)

    def price(self, basis_points: int, _: int) -> None:
        if basis_points != self.basis_points:
            source_agreed("migs", fee_basis_points=basis_points)
            self.basis_points = basis_points

    def by_hand(self, which: int, other: int) -> None:
        found = list(Break.objects.filter(resolved_at=None).order_by("pk"))
        if which >= len(found):
            return
        act: dict[str, Any] = {"kind": WRITE_OFF}
        asked_about = [each.operation_id for each in found if each.operation_id] or [x.pk for x in self.operations]
        if found[which].line_id and other < len(asked_about):
            act = {"kind": MATCH, "operations": [asked_about[other]]}
        try:
            proposal = propose_resolution(
                break_id=found[which].pk, by=self.maker, reason="Known", actor=ACTOR, now=self.now, **act
            )
            approve(proposal_id=proposal.pk, by=self.second, reason="Seen", actor=ACTOR, now=self.now)
            event("something was resolved by hand")
        except CounterfoilError:
            pass

    def nothing_else_is_found(self, day: Any) -> None:
        before = _open()
        event(f"breaks open at night: {min(len(before), 10)}")
        point = database.savepoint()
        Break.objects.filter(resolved_at=None).update(last_run=None)
        run = reconciled(self.account, day=day, now=self.now)
        after = _open()
        database.savepoint_rollback(point)
        assert after == before
        assert (run.breaks_opened, run.breaks_closed) == (0, 0)


def _open() -> list[tuple[Any, ...]]:
    said = ("kind", "day", "line", "operation", "our_minor", "our_currency", "their_minor", "their_currency", "cause")
    return sorted(Break.objects.filter(resolved_at=None).values_list(*said), key=str)


# Not shrunk: a step takes milliseconds, and what went wrong is read from the steps as they are.
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(steps=TOLD_LATER)
@example(steps=COMES_LATER)
@example(steps=TAKEN_BY_ANOTHER)
@example(steps=ANOTHER_LINE)
@example(steps=CHOSEN_BY_HAND)
@example(steps=SECOND_PART)
@example(steps=AROUND_MIDNIGHT)
@example(steps=OTHER_PRICE)
@example(steps=A_PART_TOO)
@given(steps=STEPS)
def test_looking_at_everything_again_finds_nothing_else(steps: list[tuple[str, int, int]]) -> None:
    point = database.savepoint()
    try:
        world = World()
        for what, one, other in steps:
            getattr(world, what.replace(" ", "_"))(one, other)
        world.night(0, 0)
    finally:
        database.savepoint_rollback(point)
