"""Whatever happens in whatever order: what the provider lists less what we booked is what people explained and what is still open."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.approvals import approve, reject
from common.errors import CounterfoilError
from common.models import Proposal
from merchants.models import ProviderAccount
from payments.models import Operation
from payments.providers.base import Kind
from reconciliation.models import Break, MatchGroup, StatementLine
from reconciliation.services.day_figures import unexplained
from reconciliation.services.resolutions import ADJUST, MATCH, WRITE_OFF, propose_resolution
from tests.factories import ProviderAccountFactory, captured_transaction, sale_of
from tests.reconciliation.given import ACTOR, NEXT_MORNING, Listed, imported, listed, reconciled
from tests.reconciliation.people import person

STEP = st.one_of(
    st.tuples(st.just("pay and list"), st.sampled_from(["as asked", "another amount", "left out", "twice"])),
    st.tuples(st.just("list a stranger"), st.integers(1, 300)),
    st.tuples(st.just("run"), st.just(0)),
    st.tuples(st.sampled_from([MATCH, ADJUST, WRITE_OFF]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["approve", "reject"]), st.integers(0, 9)),
)


class Story:
    """One source's day as it goes on."""

    def __init__(self) -> None:
        self.account: ProviderAccount = ProviderAccountFactory()
        self.lines: list[Listed] = []
        self.maker, self.lead = self._who("maker", "superuser"), self._who("lead", "superuser")
        self.at = NEXT_MORNING

    def _who(self, name: str, role: str) -> User:
        return User.objects.filter(username=name).first() or person(name, role)

    def step(self, what: str, how: object) -> None:
        self.at += timedelta(minutes=1)
        match what:
            case "pay and list":
                sale, name = sale_of(captured_transaction(self.account)), f"F{len(self.lines)}{self.account.pk[-6:]}"
                changes = {"minor": 9_900} if how == "another amount" else {}
                self._list([] if how == "left out" else [listed(sale, provider_reference=name, **changes)])
                if how == "twice":
                    self._list([listed(sale, provider_reference=f"{name}-2")])
            case "list a stranger":
                name = f"S{len(self.lines)}{self.account.pk[-6:]}"
                self._list([Listed(self.account.account_key, name, name, minor=int(str(how)) * 100)])
            case "run":
                reconciled(self.account, now=self.at)
            case "approve" | "reject":
                self._decide(what, int(str(how)))
            case kind:
                self._propose(kind, int(str(how)))

    def _list(self, lines: list[Listed]) -> None:
        self.lines += lines
        imported(self.account, self.lines, now=self.at)

    def _propose(self, kind: str, number: int) -> None:
        breaks = list(self.open_breaks())
        if not breaks:
            return
        found = breaks[number % len(breaks)]
        others = (
            [b.operation_id for b in breaks if b.kind == "MISSING_AT_PROVIDER"][: number % 3]
            if kind == MATCH and found.line_id
            else []
        )
        with suppress(CounterfoilError):  # refused: nothing may have changed
            propose_resolution(
                kind=kind, break_id=found.pk, by=self.maker, reason="Known", actor=ACTOR, now=self.at, operations=others
            )

    def _decide(self, what: str, number: int) -> None:
        waiting = list(Proposal.objects.filter(state="OPEN").order_by("pk"))
        if waiting:
            act = approve if what == "approve" else reject
            with suppress(CounterfoilError):  # void: nothing may have changed
                act(proposal_id=waiting[number % len(waiting)].pk, by=self.lead, reason="", actor=ACTOR, now=self.at)

    def open_breaks(self) -> list[Break]:
        return list(Break.objects.filter(resolved_at=None, run__provider="fpx").order_by("pk"))

    def check(self) -> None:
        """Only after a run has seen everything is there a sentence for every item."""
        reconciled(self.account, now=self.at)
        theirs: Counter[str] = Counter()
        for currency, minor in StatementLine.objects.values_list("currency").annotate(Sum("amount_minor")):
            theirs[currency] += minor
        for currency, minor in (
            Operation.objects.filter(kind=Kind.SALE, state="SUCCEEDED")
            .values_list("currency")
            .annotate(Sum("amount_minor"))
        ):
            theirs[currency] -= minor
        told: Counter[str] = Counter()
        for explanation in MatchGroup.objects.exclude(proposal=None).values_list("explanation", flat=True):
            told.update(explanation["differences"]["amount"])
        told.update(unexplained(provider="fpx", live=False))
        assert {c: m for c, m in theirs.items() if m} == {c: m for c, m in told.items() if m}


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEP, min_size=4, max_size=14))
def test_what_differs_is_explained_or_open(steps: list[tuple[str, object]]) -> None:
    story = Story()
    for what, how in steps:
        story.step(what, how)
    story.check()
