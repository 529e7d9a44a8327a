"""What a run concludes, case by case, with the exact kind of break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from common.changes import Actor
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation, Transaction
from payments.providers.base import Kind, Outcome
from payments.services.refunds import refund_request
from reconciliation.models import Break, Match
from reconciliation.selectors import reconciliation_states
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_transaction, sale_of, settle
from tests.reconciliation.given import DAY, NEXT_MORNING, Listed, imported, listed, open_kinds, reconciled
from tests.support.databases import what_was_asked_may_change

pytestmark = pytest.mark.django_db


def paid(account: ProviderAccount, *, provider_reference: str, now: datetime = NOW, **said: object) -> Operation:
    """A sale of 100.00 that the provider says it carried out."""
    operation = sale_of(new_transaction(account, now=now).transaction)
    settle(operation, provider_reference=provider_reference, now=now, **said)
    operation.refresh_from_db()
    return operation


def refunded(sale: Operation, minor: int, *, outcome: Outcome = Outcome.SUCCEEDED) -> Operation:
    refund = refund_request(
        transaction_id=sale.payment.transaction_id, amount=Money(minor, "MYR"), reason="r", actor=Actor("t"), now=NOW
    )
    operation = Operation.objects.get(refund=refund)
    Operation.objects.filter(pk=operation.pk).update(state="SENT", sent_at=NOW)
    settle(operation, outcome, provider_reference=f"B{operation.reference}")
    operation.refresh_from_db()
    return operation


def test_what_agrees_is_matched() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1")
    refund = refunded(sale, 2_500)
    imported(account, [listed(sale), listed(refund)])

    run = reconciled(account)

    assert open_kinds() == []
    assert set(Match.objects.values_list("operation", "line__our_reference", "rule")) == {
        (sale.pk, sale.reference, "REFERENCE"),
        (refund.pk, refund.reference, "REFERENCE"),
    }
    assert (run.lines, run.lines_matched, run.lines_broken) == (2, 2, 0)
    assert (run.operations, run.operations_matched, run.operations_broken, run.operations_expected) == (2, 2, 0, 0)
    assert run.totals == {"MYR": {"matched": 7_500, "broken": 0}}
    assert reconciliation_states([sale.payment_id]) == {sale.payment_id: "MATCHED"}


@dataclass(frozen=True)
class Case:
    """`given` makes our side and the provider's lines and returns them with the operation that the break names."""

    given: Callable[[ProviderAccount], tuple[list[Listed], Operation | None]]
    kind: str
    ours: tuple[int | None, str]
    theirs: tuple[int | None, str]
    cause: str


def said(operation: Operation, **changes: object) -> tuple[list[Listed], Operation]:
    return [listed(operation, **changes)], operation


def open_sale(account: ProviderAccount) -> Operation:
    return sale_of(new_transaction(account).transaction)


def ended(account: ProviderAccount, outcome: Outcome) -> Operation:
    operation = open_sale(account)
    settle(operation, outcome, now=NOW + timedelta(hours=2))
    return operation


def held(account: ProviderAccount) -> Operation:
    """An authorisation: the provider holds the money and should not list it."""
    operation = paid(account, provider_reference="F1")
    with what_was_asked_may_change("operation"):
        Operation.objects.filter(pk=operation.pk).update(kind=Kind.AUTHORIZE)
    return operation


MYR = "MYR"
CASES = {
    "not in the statement": Case(
        lambda a: ([], paid(a, provider_reference="F1")),
        "MISSING_AT_PROVIDER", (10_000, MYR), (None, ""), "The provider told us of a success that its statement does not have.",
    ),
    "refund not in the statement": Case(
        lambda a: ((sale := paid(a, provider_reference="F1")), ([listed(sale)], refunded(sale, 2_500)))[1],
        "MISSING_AT_PROVIDER", (-2_500, MYR), (None, ""), "The provider told us of a success that its statement does not have.",
    ),
    "a conflict that is not in the statement": Case(
        lambda a: ([], paid(a, provider_reference="F1", amount=Money(9_000, MYR))),
        "MISSING_AT_PROVIDER", (10_000, MYR), (None, ""), "The provider told us of a success that its statement does not have.",
    ),
    "unknown reference": Case(
        lambda a: ([Listed(a.account_key, "F1", "EPG404")], None),
        "MISSING_IN_BOOKS", (None, ""), (10_000, MYR), "We never sent this reference, or a restore from backup lost it.",
    ),
    "an authorisation is listed": Case(
        lambda a: ([listed(held(a), provider_reference="F7")], None),
        "MISSING_IN_BOOKS", (None, ""), (10_000, MYR), "The provider lists money for a message that moves none.",
    ),
    "a sale listed as a refund": Case(
        lambda a: ([listed(open_sale(a), type="REFUND", minor=-10_000, fee=0)], None),
        "MISSING_IN_BOOKS", (None, ""), (-10_000, MYR),
        "The reference is that of another operation of ours: of another account, or the other way round.",
    ),
    "a sale of another account": Case(
        lambda a: ([listed(open_sale(ProviderAccountFactory()), account=a.account_key)], None),
        "MISSING_IN_BOOKS", (None, ""), (10_000, MYR),
        "The reference is that of another operation of ours: of another account, or the other way round.",
    ),
    "one sen more": Case(
        lambda a: said(paid(a, provider_reference="F1"), minor=10_001),
        "AMOUNT_MISMATCH", (10_000, MYR), (10_001, MYR),
        "The provider answered with the amount that was asked and lists another.",
    ),
    "the conflict of amount 9.00": Case(
        lambda a: said(paid(a, provider_reference="F1", amount=Money(11_000, MYR)), minor=11_000),
        "AMOUNT_MISMATCH", (10_000, MYR), (11_000, MYR),
        "The provider moved another amount than was asked: it is on the conflict list.",
    ),
    "a conflict, and the statement shows what was asked": Case(
        lambda a: said(paid(a, provider_reference="F1", amount=Money(11_000, MYR))),
        "STATUS_MISMATCH", (10_000, MYR), (10_000, MYR), "It is on the conflict list, and the statement shows what was asked.",
    ),
    "refund of another amount": Case(
        lambda a: ((sale := paid(a, provider_reference="F1")), (back := refunded(sale, 2_500)),
                   ([listed(sale), listed(back, minor=-2_400)], back))[2],
        "AMOUNT_MISMATCH", (-2_500, MYR), (-2_400, MYR),
        "The provider answered with the amount that was asked and lists another.",
    ),
    "we say pending": Case(
        lambda a: said(open_sale(a)),
        "STATUS_MISMATCH", (10_000, MYR), (10_000, MYR),
        "The provider carried it out and its answer has not reached us: look it up.",
    ),
    "we say declined": Case(
        lambda a: said(ended(a, Outcome.DECLINED)),
        "STATUS_MISMATCH", (10_000, MYR), (10_000, MYR),
        "The provider carried it out after it had ended for us: refund it or accept it late.",
    ),
    "we say expired": Case(
        lambda a: said(ended(a, Outcome.NOT_FOUND)),
        "STATUS_MISMATCH", (10_000, MYR), (10_000, MYR),
        "The provider carried it out after it had ended for us: refund it or accept it late.",
    ),
    "they say declined": Case(
        lambda a: said(paid(a, provider_reference="F1"), status="51"),
        "STATUS_MISMATCH", (10_000, MYR), (10_000, MYR), "The statement lists it with a code that does not mean approved.",
    ),
    "another fee": Case(
        lambda a: said(paid(a, provider_reference="F1"), fee=51),
        "FEE_MISMATCH", (50, MYR), (51, MYR), "The provider kept another fee than was agreed.",
    ),
    "a fee on a refund": Case(
        lambda a: ((sale := paid(a, provider_reference="F1")), (back := refunded(sale, 2_500)),
                   ([listed(sale), listed(back, fee=50)], back))[2],
        "FEE_MISMATCH", (0, MYR), (50, MYR), "The provider kept another fee than was agreed.",
    ),
    "listed twice": Case(
        lambda a: ((sale := paid(a, provider_reference="F1")), ([listed(sale), listed(sale)], sale))[1],
        "DUPLICATE_LINE", (10_000, MYR), (10_000, MYR), "Another line of a statement speaks of the same operation.",
    ),
    "charged twice": Case(
        lambda a: ((sale := paid(a, provider_reference="F1")),
                   ([listed(sale), listed(sale, provider_reference="F2")], sale))[1],
        "DUPLICATE_LINE", (10_000, MYR), (10_000, MYR), "Another line of a statement speaks of the same operation.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_break_of_the_exact_kind(case: Case) -> None:
    account = ProviderAccountFactory()
    lines, operation = case.given(account)
    imported(account, lines)

    run = reconciled(account)

    found = Break.objects.get()
    assert (found.kind, found.cause) == (case.kind, case.cause)
    assert found.operation == operation
    assert (found.our_minor, found.our_currency) == case.ours
    assert (found.their_minor, found.their_currency) == case.theirs
    assert (found.day, found.resolved_at, run.breaks_opened) == (DAY, None, 1)
    assert run.lines == len(lines) == run.lines_matched + run.lines_broken
    if operation is not None:
        found_anyway = case.kind == "FEE_MISMATCH"  # the fee is between the provider and us
        assert reconciliation_states([operation.payment_id]) == {
            operation.payment_id: "MATCHED" if found_anyway else "BREAK"
        }
        assert Match.objects.filter(operation=operation, line=found.line).exists() is found_anyway


def test_another_currency_is_a_break_of_its_own() -> None:
    account = ProviderAccountFactory(provider="migs", account_key="TESTSHOP")
    sale = paid(account, provider_reference="2001")
    imported(account, [listed(sale, type="PURCHASE", currency="USD", fee=150, status="0")])

    reconciled(account)

    found = Break.objects.get()
    assert (found.kind, found.our_currency, found.their_currency) == ("CURRENCY_MISMATCH", "MYR", "USD")


@pytest.mark.parametrize(("fee", "kinds"), [(150, []), (149, ["FEE_MISMATCH"])])
def test_the_card_fee_is_a_share(fee: int, kinds: list[str]) -> None:
    account = ProviderAccountFactory(provider="migs", account_key="TESTSHOP")
    sale = paid(account, provider_reference="2001")
    imported(account, [listed(sale, type="PURCHASE", fee=fee, status="0")])

    reconciled(account)

    assert [kind for kind, _, _ in open_kinds()] == kinds


def test_without_our_reference_the_provider_s_finds_it() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1")
    imported(account, [listed(sale, reference="UNKNOWN1")])

    reconciled(account)

    assert open_kinds() == []
    assert Match.objects.get().rule == "PROVIDER_REFERENCE"


def test_more_than_one_that_fits_is_for_a_person() -> None:
    account = ProviderAccountFactory()
    one, other = paid(account, provider_reference="F1"), paid(account, provider_reference="F1")
    imported(account, [listed(one, reference="UNKNOWN1")])

    run = reconciled(account)

    assert open_kinds() == sorted(("AMBIGUOUS", "F1", x.reference) for x in (one, other))
    assert Match.objects.count() == 0
    assert (run.lines_broken, run.operations_broken) == (1, 2)


def test_of_two_lines_that_differ_the_one_that_agrees_is_matched() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1")
    imported(account, [listed(sale, provider_reference="F2", minor=9_999), listed(sale)])

    reconciled(account)

    assert open_kinds() == [("DUPLICATE_LINE", "F2", sale.reference)]
    assert Match.objects.get().line.provider_reference == "F1"


MIDNIGHT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # the end of DAY in Kuala Lumpur


def test_around_midnight_it_is_expected_tomorrow_and_missing_only_then() -> None:
    account = ProviderAccountFactory()
    late = paid(account, provider_reference="F1", now=MIDNIGHT - timedelta(minutes=9))
    early = paid(account, provider_reference="F2", now=MIDNIGHT - timedelta(minutes=11))
    imported(account, [])

    run = reconciled(account)

    assert open_kinds() == [("MISSING_AT_PROVIDER", "", early.reference)]
    assert (run.operations, run.operations_broken, run.operations_expected) == (2, 1, 1)
    assert reconciliation_states([late.payment_id]) == {late.payment_id: "PENDING"}

    tomorrow = DAY + timedelta(days=1)
    imported(account, [], day=tomorrow, now=NEXT_MORNING + timedelta(days=1))
    reconciled(account, day=tomorrow, now=NEXT_MORNING + timedelta(days=1))

    assert Break.objects.get(operation=late).day == tomorrow


def test_what_happened_after_the_statement_was_made_is_expected() -> None:
    account = ProviderAccountFactory()
    before = paid(account, provider_reference="F1", now=NOW)
    paid(account, provider_reference="F2", now=NOW + timedelta(minutes=2))
    imported(account, [], now=NOW + timedelta(minutes=1))

    run = reconciled(account, now=NOW + timedelta(minutes=3))

    assert open_kinds() == [("MISSING_AT_PROVIDER", "", before.reference)]
    assert run.operations_expected == 1


def test_without_a_statement_there_is_no_verdict() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1")

    run = reconciled(account)

    assert (open_kinds(), run.operations) == ([], 0)
    assert reconciliation_states([sale.payment_id]) == {sale.payment_id: "PENDING"}


def test_a_break_closes_itself_when_a_later_run_explains_it() -> None:
    account = ProviderAccountFactory()
    unanswered, unlisted = open_sale(account), paid(account, provider_reference="F2")
    imported(account, [listed(unanswered, provider_reference="F1")])
    first = reconciled(account)
    assert {kind for kind, _, _ in open_kinds()} == {"STATUS_MISMATCH", "MISSING_AT_PROVIDER"}

    later = NEXT_MORNING + timedelta(hours=1)
    settle(unanswered, provider_reference="F1", now=later)
    imported(account, [listed(unanswered, provider_reference="F1"), listed(unlisted)], now=later)
    second = reconciled(account, now=later)

    assert open_kinds() == []
    assert (first.breaks_opened, second.breaks_opened, second.breaks_closed) == (2, 0, 2)
    history = Break.objects.values_list("run", "first_seen_at", "resolved_at", "resolved_by_run")
    assert set(history) == {(first.pk, NEXT_MORNING, later, second.pk)}
    assert Match.objects.count() == 2


def test_the_run_of_another_day_closes_it_too() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1", now=MIDNIGHT - timedelta(minutes=30))
    imported(account, [])
    reconciled(account)
    tomorrow, later = DAY + timedelta(days=1), NEXT_MORNING + timedelta(days=1)

    imported(account, [listed(sale, at=MIDNIGHT + timedelta(minutes=1))], day=tomorrow, now=later)
    reconciled(account, day=tomorrow, now=later)

    assert open_kinds() == []
    assert Break.objects.get().resolved_at == later


def test_a_line_that_names_what_an_earlier_day_claimed_keeps_no_other_from_its_pair() -> None:
    account = ProviderAccountFactory()
    tomorrow, later = DAY + timedelta(days=1), NEXT_MORNING + timedelta(days=1)
    claimed = paid(account, provider_reference="F1")
    others = [paid(account, provider_reference=f"F{n}", now=NOW + timedelta(days=1)) for n in (2, 3)]
    imported(account, [listed(claimed)])
    first = reconciled(account)
    noon = later - timedelta(hours=14)
    lines = [listed(x, at=noon) for x in others]
    lines.insert(1, listed(claimed, provider_reference="D1", at=noon))

    imported(account, lines, day=tomorrow, now=later)
    run = reconciled(account, day=tomorrow, now=later)

    assert open_kinds() == [("DUPLICATE_LINE", "D1", claimed.reference)]
    assert set(Match.objects.values_list("run", "line__provider_reference", "operation", "rule", "group")) == {
        (first.pk, "F1", claimed.pk, "REFERENCE", None),
        *((run.pk, x.provider_reference, x.pk, "REFERENCE", None) for x in others),
    }
    assert (run.lines, run.lines_matched, run.lines_broken) == (3, 2, 1)
    assert (run.operations, run.operations_matched, run.operations_broken, run.operations_expected) == (2, 2, 0, 0)


def test_again_nothing_changes() -> None:
    account = ProviderAccountFactory()
    imported(account, [Listed(account.account_key, "F1", "EPG404"), listed(paid(account, provider_reference="F2"))])
    first = reconciled(account)
    later = NEXT_MORNING + timedelta(hours=1)

    second = reconciled(account, now=later)

    assert (second.breaks_opened, second.breaks_closed) == (0, 0)
    assert (second.lines, second.lines_matched, second.lines_broken) == (first.lines, 1, 1)
    found = Break.objects.get()
    assert (found.run, found.first_seen_at, found.last_seen_at) == (first, NEXT_MORNING, later)
    assert Match.objects.get().run == first


def test_with_every_line_matched_what_is_open_is_asked_again() -> None:
    account = ProviderAccountFactory()
    dear, unlisted = paid(account, provider_reference="F1"), paid(account, provider_reference="F2")
    imported(account, [listed(dear, fee=90)])
    reconciled(account)
    open_breaks = {("FEE_MISMATCH", dear.reference), ("MISSING_AT_PROVIDER", unlisted.reference)}
    assert set(Break.objects.values_list("kind", "operation__reference")) == open_breaks
    later = NEXT_MORNING + timedelta(hours=1)

    again = reconciled(account, now=later)

    assert (again.lines, again.lines_matched, again.breaks_opened, again.breaks_closed) == (1, 1, 0, 0)
    assert set(Break.objects.values_list("last_seen_at", "resolved_at")) == {(later, None)}
    fee = Break.objects.get(kind="FEE_MISMATCH")
    assert [near["proposal"]["act"] for near in fee.nearest] == ["break.write_off"]


def test_live_and_test_are_apart() -> None:
    test, live = ProviderAccountFactory(), ProviderAccountFactory(live=True)
    for account in (test, live):
        imported(account, [Listed(account.account_key, f"F{account.live:d}", "EPG404")])

    reconciled(live)

    assert open_kinds() == [("MISSING_IN_BOOKS", "F1", "")]


def test_nothing_that_moves_money_is_touched() -> None:
    account = ProviderAccountFactory()
    transaction = captured_transaction(account)
    imported(account, [listed(sale_of(transaction), minor=1, fee=0)])
    before = Transaction.objects.values().get(), list(Operation.objects.values())

    reconciled(account)

    assert (Transaction.objects.values().get(), list(Operation.objects.values())) == before


def test_a_payment_is_matched_when_all_that_moved_money_is() -> None:
    account = ProviderAccountFactory()
    sale = paid(account, provider_reference="F1")
    imported(account, [listed(sale)])
    reconciled(account)

    refunded(sale, 2_500)

    assert reconciliation_states([sale.payment_id]) == {sale.payment_id: "PENDING"}
