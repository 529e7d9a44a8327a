"""Payouts of which the bank took something: by what its line says itself, or by a line that two people name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db import transaction as database

from common.database import constraint_of
from common.errors import Forbidden, InvalidState
from common.models import Proposal
from payments.models.ledger import AccountKind
from reconciliation.models import BankLine, BankMatch, Break, MatchGroup, Payout
from reconciliation.services.payouts import payout_confirm
from tests.payments.verify.books import wrong
from tests.reconciliation.paying import ACTOR, LATER, bank_lines, checker, maker, yes
from tests.reconciliation.test_payout_breaks import DUE, NET, booked, compared, open_breaks, sent
from tests.reconciliation.test_settle import owed

pytestmark = pytest.mark.django_db
BANK, UNPROVEN, CHARGES = "bank:mybank/514011112222:test:MYR", "bank:unproven:test:MYR", "bank_charges:house:test:MYR"


def confirmed(payout: Payout, line: BankLine | None = None, *, returned: bool = False) -> Proposal:
    return payout_confirm(
        payout_id=payout.pk, returned=returned, line_id=line.pk if line else None, by=maker(), reason="Letter",
        actor=ACTOR, now=LATER,
    )  # fmt: skip


def state_of(payout: Payout) -> tuple[str, int, int]:
    """Its state, what is on its way, and what the merchant is owed."""
    payout.refresh_from_db()
    return payout.state, owed(payout.merchant, AccountKind.PAYOUT_IN_TRANSIT), owed(payout.merchant)


def test_what_the_bank_says_it_kept_is_its_charges_out_and_back() -> None:
    payout = sent()
    bank_lines((payout.end_to_end_id, -NET - 100), charges_minor=100)

    compared(DUE)

    assert (state_of(payout), open_breaks()) == (("PAID", 0, 0), [])
    assert (booked(BANK), booked(CHARGES)) == (-NET - 100, 100)
    assert payout.bank_match.group.explanation["differences"] == {"charges": 100}
    assert wrong() == {}

    bank_lines((payout.end_to_end_id, NET - 250), charges_minor=250)
    compared(DUE + timedelta(days=1))

    assert (state_of(payout), open_breaks()) == (("RETURNED", 0, NET), [])
    assert (booked(BANK), booked(CHARGES)) == (-350, 350)
    assert wrong() == {}


@pytest.mark.parametrize("said_before", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_two_people_name_the_line_that_shows_it_with_charges_and_the_one_that_brings_less_back(
    said_before: bool, named: bool
) -> None:
    payout = sent()
    if said_before:
        yes(confirmed(payout))
        assert booked(UNPROVEN) == -NET
    reference = payout.end_to_end_id if named else "NOTPROVIDED"
    [left] = bank_lines((reference, -NET - 100))
    compared(DUE)
    [said] = Break.objects.filter(resolved_at=None, payout=None)
    assert (said.bank_line, "say on the payout's page" in said.cause) == (left, named)

    proposal = yes(confirmed(payout, left))

    assert proposal.summary.endswith(
        f"arrived, paid from mybank 514011112222 by {left.reference}, and 1.00 MYR more as charges"
    )
    assert state_of(payout) == ("PAID", 0, 0)
    assert (booked(BANK), booked(CHARGES), booked(UNPROVEN)) == (-NET - 100, 100, 0)
    assert compared(DUE + timedelta(days=1)).breaks_opened == 0
    assert (open_breaks(), wrong()) == ([], {})

    [back] = bank_lines((reference, NET - 500))
    compared(DUE + timedelta(days=2))
    assert state_of(payout) == ("PAID", 0, 0)
    proposal = yes(confirmed(payout, back, returned=True))

    assert proposal.summary.endswith(f"came back by {back.reference}, 5.00 MYR less for charges")
    assert (state_of(payout), payout.returned_line) == (("RETURNED", 0, NET), back)
    assert (booked(BANK), booked(CHARGES)) == (-600, 600)
    compared(DUE + timedelta(days=3))
    assert (open_breaks(), wrong()) == ([], {})


def test_only_a_free_line_that_could_be_it_is_named() -> None:
    payout = sent()
    lines: dict[str, Any] = {
        "less": bank_lines((payout.end_to_end_id, -NET + 1))[0],
        "another payout's": bank_lines(("PYT20260302XXXXXXXXXXXX", -NET - 1))[0],
        "a credit": bank_lines(("", NET))[0],
        "another currency": bank_lines(("", -NET), currency="USD")[0],
        "elsewhere, unnamed": bank_lines(("", -NET), account_key="9999")[0],
    }

    for what, line in lines.items():
        with pytest.raises(InvalidState, match="does not show the payout"):
            confirmed(payout, line)
        assert not Proposal.objects.filter(subject_id=payout.pk, kind="payout.confirm_paid").exists(), what
    with pytest.raises(InvalidState, match="does not show the payout"):
        confirmed(payout, lines["a credit"], returned=True)  # nothing has shown that it left

    [left] = bank_lines((payout.end_to_end_id, -NET))
    compared(DUE)
    for credit in (bank_lines(("", NET + 1))[0], bank_lines(("PYT20260302XXXXXXXXXXXX", NET))[0]):
        with pytest.raises(InvalidState, match="does not show the payout"):
            confirmed(payout, credit, returned=True)
    with pytest.raises(InvalidState, match="does not show the payout"):
        confirmed(payout, left)
    assert state_of(payout) == ("PAID", 0, 0)


def test_charges_above_the_limit_need_somebody_who_may_write_off_any_amount() -> None:
    payout = sent()
    [line] = bank_lines((payout.end_to_end_id, -NET - 50_001))

    with pytest.raises(Forbidden, match="above your limit"):
        confirmed(payout, line)

    assert (Proposal.objects.filter(subject_id=payout.pk, kind="payout.confirm_paid").count(), booked(BANK)) == (0, 0)
    parameters = {"bank_line": line.pk, "legs": [{"kind": "bank_charges", "currency": "MYR", "minor": 50_001}]}
    row = Proposal.objects.filter(kind="payout.release").values().get()
    row |= {"id": "prp_x", "kind": "payout.confirm_paid", "state": "OPEN", "parameters": parameters, "pins": []}
    row |= {"decided_by_id": None, "decided_at": None, "decision_reason": "", "subject_id": payout.pk}
    with pytest.raises(IntegrityError) as refused, database.atomic():
        Proposal.objects.create(**row)
    assert constraint_of(refused.value) == "proposal_within_write_off_limit"

    yes(confirmed_by_boss(payout, line))
    assert (state_of(payout), booked(CHARGES)) == (("PAID", 0, 0), 50_001)


def confirmed_by_boss(payout: Payout, line: BankLine) -> Proposal:
    boss = checker("boss", "superuser")
    return payout_confirm(
        payout_id=payout.pk, returned=False, line_id=line.pk, by=boss, reason="Letter", actor=ACTOR, now=LATER
    )


def test_a_line_that_is_matched_meanwhile_brings_nothing_back() -> None:
    payout = sent()
    bank_lines((payout.end_to_end_id, -NET))
    compared(DUE)
    [back] = bank_lines(("", NET - 100))
    proposal = confirmed(payout, back, returned=True)
    [whole] = bank_lines((payout.end_to_end_id, NET))
    compared(DUE + timedelta(days=1))
    assert (state_of(payout), payout.returned_line) == (("RETURNED", 0, NET), whole)

    with pytest.raises(InvalidState, match="void"):
        yes(proposal)

    assert (state_of(payout), MatchGroup.objects.filter(proposal=proposal).count()) == (("RETURNED", 0, NET), 0)
    assert not BankMatch.objects.filter(bank_line=back).exists()
    assert wrong() == {}
