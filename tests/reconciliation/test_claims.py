"""Everything is in exactly one place: matched, broken or expected. Also with several matchers at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.ids import new_id
from merchants.models import ProviderAccount
from payments.models import Operation
from payments.providers.base import Kind
from reconciliation.models import Break, Match, ReconciliationRun, StatementLine
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, sale_of
from tests.reconciliation.given import NEXT_MORNING, Listed, imported, listed, open_kinds, reconciled
from tests.support.race import race


@pytest.mark.django_db(transaction=True)
def test_eight_matchers_at_once_claim_each_item_once() -> None:
    account = ProviderAccountFactory()
    sales = [sale_of(captured_transaction(account)) for _ in range(20)]
    orphan = Listed(account.account_key, "F404", "EPG404")
    imported(account, [listed(x, provider_reference=f"F{n}") for n, x in enumerate(sales)] + [orphan])

    runs = race(8, lambda number: reconciled(account, now=NEXT_MORNING + timedelta(seconds=number)))

    assert [run.lines_matched for run in runs] == [20] * 8
    assert sum(run.breaks_opened for run in runs) == 1
    assert set(Match.objects.values_list("operation", flat=True)) == {sale.pk for sale in sales}
    assert Match.objects.count() == 20
    assert open_kinds() == [("MISSING_IN_BOOKS", "F404", "")]


@pytest.mark.django_db
@pytest.mark.parametrize("side", ["line", "operation"])
def test_the_database_refuses_a_second_claim(side: str) -> None:
    account = ProviderAccountFactory()
    sales = [sale_of(captured_transaction(account)) for _ in range(2)]
    imported(account, [listed(x, provider_reference=f"F{n}", reference=f"X{n}") for n, x in enumerate(sales)])
    lines = list(StatementLine.objects.order_by("id"))
    run = ReconciliationRun.objects.create(
        id=new_id("run"), provider="fpx", live=False, day=NOW.date(), actor="t", started_at=NOW
    )
    Match.objects.create(run=run, line=lines[0], operation=sales[0], rule="REFERENCE")

    second = {"line": lines[1], "operation": sales[1], side: {"line": lines[0], "operation": sales[0]}[side]}
    with pytest.raises(IntegrityError, match=f"reconciliation_match_{side}_once"), transaction.atomic():
        Match.objects.create(run=run, rule="REFERENCE", **second)

    assert Match.objects.count() == 1


STATES = st.sampled_from(["SUCCEEDED", "CONFLICTED", "PENDING", "DECLINED", "EXPIRED"])
HOW_LISTED = st.sampled_from(
    [
        "as asked",
        "left out",
        "twice",
        "other amount",
        "other fee",
        "as a refund",
        "without our reference",
        "after the cut-off",
    ]
)
DAYS = st.lists(st.tuples(STATES, HOW_LISTED, st.booleans()), max_size=8)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=DAYS, strangers=st.integers(0, 3))
def test_matched_broken_and_expected_are_all_there_is(day: list[tuple[str, str, bool]], strangers: int) -> None:
    account = ProviderAccountFactory()
    lines = [Listed(account.account_key, f"S{n}{account.pk}", f"S{n}") for n in range(strangers)]
    for state, how, same_number in day:
        lines += lines_of(made(account, state, how), how, same_number)
    imported(account, lines)

    run = reconciled(account)

    check_partition(account, run, lines=len(lines))
    check_partition(account, reconciled(account, now=NEXT_MORNING + timedelta(hours=1)), lines=len(lines))


def made(account: ProviderAccount, state: str, how: str) -> Operation:
    """A sale in this state, by SQL: how it got there is not the question here."""
    sale = sale_of(new_transaction(account).transaction)
    ended = state != "PENDING"
    at = NOW + timedelta(hours=11, minutes=55) if how == "after the cut-off" else NOW
    Operation.objects.filter(pk=sale.pk).update(
        state=state,
        ended_at=at if ended else None,
        due_at=None if ended else at,
        provider_reference=f"P{sale.reference}",
    )
    sale.refresh_from_db()
    return sale


def lines_of(sale: Operation, how: str, same_number: bool) -> list[Listed]:
    number = "P-SHARED" if same_number else sale.provider_reference
    match how:
        case "as asked":
            return [listed(sale, provider_reference=number)]
        case "twice":
            return [listed(sale, provider_reference=number), listed(sale, provider_reference=f"{number}-2")]
        case "other amount":
            return [listed(sale, provider_reference=number, minor=9_999)]
        case "other fee":
            return [listed(sale, provider_reference=number, fee=49)]
        case "as a refund":
            return [listed(sale, provider_reference=number, type="REFUND", minor=-10_000, fee=0)]
        case "without our reference":
            return [listed(sale, reference="X-UNKNOWN")]
        case _:
            return []


def check_partition(account: ProviderAccount, run: ReconciliationRun, *, lines: int) -> None:
    """Of the account's lines and operations, each is in exactly one place, and the run counted them. A fee is a question beside the match."""
    open_breaks = Break.objects.filter(resolved_at=None).exclude(kind="FEE_MISMATCH")
    fees = Break.objects.filter(resolved_at=None, kind="FEE_MISMATCH", line__provider_account=account)
    assert all(Match.objects.filter(line=fee.line, operation=fee.operation).exists() for fee in fees)
    claimed_lines = set(Match.objects.filter(line__provider_account=account).values_list("line", flat=True))
    broken_lines = set(open_breaks.filter(line__provider_account=account).values_list("line", flat=True))
    assert not claimed_lines & broken_lines
    assert claimed_lines | broken_lines == set(
        StatementLine.objects.filter(provider_account=account).values_list("id", flat=True)
    )
    assert len(claimed_lines) + len(broken_lines) == lines

    moved = Operation.objects.filter(
        payment__provider_account=account, kind=Kind.SALE, state__in=("SUCCEEDED", "CONFLICTED")
    )
    claimed = set(Match.objects.filter(operation__in=moved).values_list("operation", flat=True))
    missing = set(open_breaks.filter(operation__in=moved, line=None).values_list("operation", flat=True))
    paired = set(open_breaks.filter(operation__in=moved).exclude(line=None).values_list("operation", flat=True))
    duplicated = set(open_breaks.filter(kind="DUPLICATE_LINE").values_list("operation", flat=True))
    late = set(moved.filter(ended_at__gt=NOW).values_list("pk", flat=True))
    assert not claimed & missing
    assert not missing & paired
    assert claimed & paired <= duplicated  # a second line names an operation that is matched; nothing else may
    assert claimed | missing | paired | late == set(moved.values_list("pk", flat=True))
    assert not missing & late

    assert run.lines == run.lines_matched + run.lines_broken
    assert run.operations == run.operations_matched + run.operations_broken + run.operations_expected
