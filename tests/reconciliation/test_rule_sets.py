"""Rule sets: what is live never changes, going live takes two, and what a rule says is what happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from common.approvals import approve
from common.errors import Forbidden, InvalidState
from common.models import AuditRecord, Proposal
from common.money import Money
from merchants.models import ProviderAccount
from payments.models import Operation, Posting
from payments.services.captures import capture_request
from reconciliation.matching.rules import BUILT_IN, InvalidRules, rules_of
from reconciliation.models import Break, Comparison, Match, MatchGroup, Rehearsal, RuleSet, RuleSetState
from reconciliation.services.closing import day_close
from reconciliation.services.rehearsal import rehearse
from reconciliation.services.rule_sets import (
    rule_set_discard,
    rule_set_draft,
    rule_set_edit,
    rule_set_live,
    rule_set_propose,
)
from tests.factories import NOW, ProviderAccountFactory, new_transaction, sale_of, settle
from tests.factories.agreed import source_agreed
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, imported, listed, open_kinds, reconciled
from tests.reconciliation.people import person

pytestmark = pytest.mark.django_db

LEDGER = Comparison.LEDGER


def drafted(*rules: dict[str, Any]) -> RuleSet:
    live = rule_set_live(provider="fpx", comparison=LEDGER, now=NOW)
    draft = rule_set_draft(of=live, by=None, note="Try", actor=ACTOR, now=NOW)
    return rule_set_edit(rule_set_id=draft.pk, rules=list(rules), note="Try", actor=ACTOR, now=NOW)


def live_with(*rules: dict[str, Any]) -> RuleSet:
    """These rules, made live by two people."""
    draft = drafted(*rules)
    proposal = rule_set_propose(rule_set_id=draft.pk, reason="r", by=person("fin"), actor=ACTOR, now=NOW)
    approve(proposal_id=proposal.pk, by=person("lead", "finance_lead"), reason="r", actor=ACTOR, now=NOW)
    draft.refresh_from_db()
    return draft


def sold(account: ProviderAccount, minor: int = 10_000) -> Operation:
    """A sale that the provider says it carried out, with a number of its own."""
    sale = sale_of(new_transaction(account, amount=Money(minor, "MYR")).transaction)
    settle(sale, provider_reference=f"P{sale.reference}")
    sale.refresh_from_db()
    return sale


REFERENCE = {"by": "REFERENCE", "amount_minor": 0, "days": None, "agree": ["status_code", "fee"]}


def test_a_source_begins_with_the_rules_of_the_product() -> None:
    live = rule_set_live(provider="fpx", comparison=LEDGER, now=NOW)

    assert (live.version, live.built_in, live.rules) == (1, True, BUILT_IN[LEDGER])
    assert rule_set_live(provider="fpx", comparison=LEDGER, now=NOW).pk == live.pk
    assert reconciled(ProviderAccountFactory()).rule_set == live


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"by": "BY_HAND"}],
        [{"by": "REFERENCE", "sql": "1=1"}],
        [{"by": "REFERENCE"}, {"by": "REFERENCE"}],
        [{"by": "REFERENCE", "agree": ["amount"]}],
        [{"by": "REFERENCE", "amount_minor": -1}],
        [{"by": "REFERENCE", "amount_minor": True}],
        [{"by": "REFERENCE", "days": "3"}],
        [{"by": "REFERENCE", "days": 31}],
        "REFERENCE",
    ],
)
def test_what_is_not_listed_is_refused(data: Any) -> None:
    draft = drafted(REFERENCE)

    with pytest.raises(InvalidRules):
        rule_set_edit(rule_set_id=draft.pk, rules=data, note="", actor=ACTOR, now=NOW)

    draft.refresh_from_db()
    assert rules_of(LEDGER, draft.rules) == rules_of(LEDGER, [REFERENCE])


def test_going_live_takes_a_second_person_and_retires_what_was_live() -> None:
    first = rule_set_live(provider="fpx", comparison=LEDGER, now=NOW)
    draft, fin = drafted(REFERENCE), person("fin")
    proposal = rule_set_propose(rule_set_id=draft.pk, reason="r", by=fin, actor=ACTOR, now=NOW)

    with pytest.raises(Forbidden):
        approve(proposal_id=proposal.pk, by=fin, reason="r", actor=ACTOR, now=NOW)
    assert RuleSet.objects.get(state=RuleSetState.LIVE, provider="fpx") == first

    approve(proposal_id=proposal.pk, by=person("lead", "finance_lead"), reason="r", actor=ACTOR, now=NOW)
    first.refresh_from_db()
    draft.refresh_from_db()
    assert (first.state, draft.state, draft.proposal_id) == ("RETIRED", "LIVE", proposal.pk)
    assert rule_set_live(provider="fpx", comparison=LEDGER, now=NOW) == draft
    assert AuditRecord.objects.filter(action="rule_set.went_live", subject_id=draft.pk).count() == 1


def test_a_draft_that_changed_since_voids_the_proposal() -> None:
    draft = drafted(REFERENCE)
    proposal = rule_set_propose(rule_set_id=draft.pk, reason="r", by=person("fin"), actor=ACTOR, now=NOW)
    rule_set_edit(rule_set_id=draft.pk, rules=[REFERENCE | {"amount_minor": 999_999}], note="", actor=ACTOR, now=NOW)

    with pytest.raises(InvalidState, match="void"):
        approve(proposal_id=proposal.pk, by=person("lead", "finance_lead"), reason="r", actor=ACTOR, now=NOW)

    assert Proposal.objects.get().state == "VOID"
    draft.refresh_from_db()
    assert draft.state == "DRAFT"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "LIVE", "live_from": NOW}, "needs_approval"),
        ({"version": 77}, "fixed_columns"),
        ({"built_in": True}, "fixed_columns"),
        ({"state": "RETIRED", "live_from": NOW}, "listed_moves"),
    ],
)
def test_the_database_refuses_a_shortcut(change: dict[str, Any], constraint: str) -> None:
    draft = drafted(REFERENCE)
    RuleSet.objects.filter(provider="fpx", state="LIVE").update(state="RETIRED")

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        RuleSet.objects.filter(pk=draft.pk).update(**change)

    assert constraint in str(refused.value.__cause__.diag.constraint_name)  # type: ignore[union-attr]


def test_what_has_been_live_and_what_was_given_up_is_never_edited() -> None:
    live, draft = rule_set_live(provider="fpx", comparison=LEDGER, now=NOW), drafted(REFERENCE)
    rule_set_discard(rule_set_id=draft.pk, reason="r", actor=ACTOR, now=NOW)

    for rule_set in (live, draft):
        with pytest.raises(InvalidState):
            rule_set_edit(rule_set_id=rule_set.pk, rules=[REFERENCE], note="", actor=ACTOR, now=NOW)
        with pytest.raises(IntegrityError, match="no draft"), transaction.atomic():
            RuleSet.objects.filter(pk=rule_set.pk).update(rules=[])


def test_a_tolerated_difference_is_matched_explained_and_booked() -> None:
    live = live_with(REFERENCE | {"amount_minor": 2})
    account = ProviderAccountFactory()
    one, two, three = sold(account), sold(account), sold(account)
    imported(
        account,
        [
            listed(one, provider_reference="F1", minor=9_998),
            listed(two, provider_reference="F2", minor=10_001),
            listed(three, provider_reference="F3", minor=9_997),
        ],
    )

    run = reconciled(account)

    assert open_kinds() == [("AMOUNT_MISMATCH", "F3", three.reference)]
    assert (run.lines_matched, run.rule_set) == (2, live)
    found = Match.objects.get(operation=one)
    explanation = found.group.explanation
    assert (explanation["rule"], explanation["version"]) == ("REFERENCE", live.version)
    assert explanation["differences"] == {"amount": -2}
    assert {x["field"]: x["agrees"] for x in explanation["compared"]} == {
        "reference": True,
        "provider_reference": False,
        "amount_minor": False,
        "currency": True,
        "fee_minor": True,
    }
    booked = Posting.objects.filter(entry__fact_name="match.tolerated").values_list("account__kind", "amount_minor")
    assert sorted(booked) == [
        ("differences", -1),
        ("differences", 2),
        ("provider_receivable", -2),
        ("provider_receivable", 1),
    ]
    reconciled(account, now=NEXT_MORNING + timedelta(hours=1))
    assert Posting.objects.filter(entry__fact_name="match.tolerated").count() == 4


def test_without_a_reference_amount_and_date_find_the_nearest_and_a_tie_is_nobody_s_guess() -> None:
    live_with(REFERENCE, {"by": "AMOUNT_AND_DATE", "amount_minor": 5, "days": 1, "agree": []})
    account = ProviderAccountFactory()
    far, near = sold(account, 5_003), sold(account, 5_001)
    twins = [sold(account, 7_000), sold(account, 7_000)]
    imported(
        account,
        [Listed(account.account_key, "F1", "X1", minor=5_000), Listed(account.account_key, "F2", "X2", minor=7_000)],
    )

    reconciled(account)

    match = Match.objects.get()
    assert (match.operation, match.rule) == (near, "AMOUNT_AND_DATE")
    assert match.group.explanation["runner_up"] == {
        "operation": far.pk,
        "difference": -3,
        "lost_because": "Its amount is further away.",
    }
    assert open_kinds() == sorted(
        [
            *(("AMBIGUOUS", "F2", twin.reference) for twin in twins),
            ("MISSING_AT_PROVIDER", "", far.reference),
        ]
    )


def test_several_lines_for_one_operation_come_to_its_amount() -> None:
    account = ProviderAccountFactory()
    split = sold(account, 10_000)
    imported(
        account,
        [
            listed(split, provider_reference="F1", minor=6_000),
            listed(split, provider_reference="F2", minor=4_000),
        ],
    )

    reconciled(account)

    assert open_kinds() == []
    group = MatchGroup.objects.get()
    assert (group.rule, group.explanation["items"]) == ("SUM_AND_DATE", {"lines": 2, "operations": 1})
    assert Match.objects.filter(group=group).count() == 3


def captured_in_parts(account: ProviderAccount, *parts: int) -> list[Operation]:
    """One authorisation of 100.00, captured part by part."""
    transaction = new_transaction(account, manual_capture=True).transaction
    settle(sale_of(transaction))
    captures = Operation.objects.filter(payment__transaction=transaction, kind="CAPTURE")
    for number, minor in enumerate(parts):
        capture_request(transaction_id=transaction.pk, amount=Money(minor, "MYR"), final=False, actor=ACTOR, now=NOW)
        capture = captures.get(state="QUEUED")
        Operation.objects.filter(pk=capture.pk).update(state="SENT", sends=1, sent_at=NOW)
        settle(capture, provider_reference=f"C{number}{capture.reference}")
    return list(captures.order_by("created_at", "pk"))


def test_one_line_for_several_captures_of_a_payment_comes_to_their_sum() -> None:
    account = ProviderAccountFactory(provider="migs", mode="authorise")
    first, second = captured_in_parts(account, 3_000, 4_000)
    hold = sale_of(first.payment.transaction)
    line = listed(first, provider_reference="F1", reference=hold.reference, type="CAPTURE", fee=105, status="0")
    imported(account, [replace(line, minor=7_000)])

    reconciled(account)

    assert open_kinds() == []
    group = MatchGroup.objects.get()
    assert (group.rule, group.explanation["items"]) == ("SUM_AND_DATE", {"lines": 1, "operations": 2})
    matched = Match.objects.filter(group=group).values_list("operation", flat=True)
    assert sorted(matched, key=str) == sorted([None, first.pk, second.pk], key=str)


def test_one_line_that_is_not_the_sum_of_the_captures_stays_a_break() -> None:
    account = ProviderAccountFactory(provider="migs", mode="authorise")
    first, second = captured_in_parts(account, 3_000, 4_000)
    hold = sale_of(first.payment.transaction)
    line = listed(first, provider_reference="F1", reference=hold.reference, type="CAPTURE", status="0")
    imported(account, [replace(line, minor=7_001)])

    reconciled(account)

    assert open_kinds() == sorted(
        [
            ("MISSING_IN_BOOKS", "F1", ""),
            ("MISSING_AT_PROVIDER", "", first.reference),
            ("MISSING_AT_PROVIDER", "", second.reference),
        ]
    )
    assert Match.objects.count() == 0


def test_lines_that_do_not_come_to_the_amount_stay_breaks() -> None:
    account = ProviderAccountFactory()
    split = sold(account, 10_000)
    imported(
        account,
        [
            listed(split, provider_reference="F1", minor=6_000),
            listed(split, provider_reference="F2", minor=4_001),
        ],
    )

    reconciled(account)

    assert [kind for kind, _, _ in open_kinds()] == ["AMOUNT_MISMATCH", "DUPLICATE_LINE"]
    assert Match.objects.count() == 0


def test_a_fee_closes_its_break_when_the_contract_turns_out_to_say_so() -> None:
    account = ProviderAccountFactory()
    sale = sold(account)
    imported(account, [listed(sale, provider_reference="F1", fee=51)])
    reconciled(account)
    assert open_kinds() == [("FEE_MISMATCH", "F1", sale.reference)]
    reconciled(account, now=NEXT_MORNING + timedelta(hours=1))
    assert open_kinds() == [("FEE_MISMATCH", "F1", sale.reference)]

    fee_is(51)
    reconciled(account, now=NEXT_MORNING + timedelta(hours=2))

    assert open_kinds() == []
    assert Break.objects.get().resolution == "EXPLAINED"


def fee_is(minor: int) -> None:
    """The contract says so now."""
    source_agreed("fpx", fee_fixed_minor=minor)


def test_a_break_knows_what_nearly_fits() -> None:
    account = ProviderAccountFactory()
    sale = sold(account, 10_000)
    other = sold(account, 50_000)
    imported(account, [Listed(account.account_key, "F1", "X1", minor=10_100)])

    reconciled(account)

    line = Break.objects.get(kind="MISSING_IN_BOOKS")
    assert [(x["id"], x["difference"], x["why_not"]) for x in line.nearest] == [
        (sale.pk, -100, "another reference; another amount"),
        (other.pk, 39_900, "another reference; another amount"),
    ]
    assert line.nearest[0]["proposal"] == {"act": "break.match", "parameters": {"operations": [sale.pk]}}
    missing = Break.objects.get(operation=sale)
    assert [(x["item"], x["id"], x["difference"]) for x in missing.nearest] == [("line", str(line.line_id), 100)]


def test_a_rehearsal_shows_what_would_be_won_and_lost_and_keeps_nothing() -> None:
    account = ProviderAccountFactory(created_at=NOW - timedelta(days=30))
    by_reference, by_number = sold(account), sold(account)
    imported(
        account,
        [
            listed(by_reference, provider_reference="F1"),
            listed(by_number, provider_reference=by_number.provider_reference, reference="X9"),
        ],
    )
    reconciled(account)
    assert open_kinds() == []
    day_close(provider="fpx", live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING + timedelta(hours=8))
    before = (Match.objects.count(), MatchGroup.objects.count(), Break.objects.count())

    same = rehearse(rule_set_id=drafted(*BUILT_IN[LEDGER]).pk, live=False, days=5, actor=ACTOR, now=NOW)
    fewer = rehearse(rule_set_id=drafted(REFERENCE).pk, live=False, days=5, actor=ACTOR, now=NOW)

    assert same.figures == {"days": 1, "same": 2, "won": 0, "lost": 0, "changed": 0}
    assert fewer.figures == {"days": 1, "same": 1, "won": 0, "lost": 1, "changed": 0}
    assert fewer.samples["lost"] == [
        {
            "day": DAY.isoformat(),
            "line": by_number.provider_reference,
            "now": None,
            "before": by_number.pk,
            "why": "MISSING_IN_BOOKS: We never sent this reference, or a restore from backup lost it.",
        }
    ]
    assert (Match.objects.count(), MatchGroup.objects.count(), Break.objects.count()) == before
    assert Rehearsal.objects.count() == 2


def test_a_rehearsal_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidState, match="closed"):
        rehearse(rule_set_id=drafted(REFERENCE).pk, live=False, days=5, actor=ACTOR, now=NOW)

    assert Rehearsal.objects.count() == 0
