"""Payouts are what was settled and what was shown; a planted lie is named."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.db import connection

from common.books import verify
from reconciliation.services.payout_files import payouts_send
from reconciliation.services.payouts import payout_confirm
from tests.payments.verify.books import PAYOUTS, SOON, proven_elsewhere, wrong
from tests.payments.verify.test_verify_books import rules_lifted
from tests.reconciliation.paying import (
    ACTOR,
    LATER,
    bank_lines,
    maker,
    our_bank,
    proposed,
    proven,
    released,
    to_account,
    to_bank,
    yes,
)
from tests.reconciliation.test_payout_breaks import DUE, bank, compared
from tests.support.once import given_once

pytestmark = pytest.mark.django_db
TABLES = (
    "payout",
    "payout_file",
    "settlement",
    "proposal",
    "bank_line",
    "posting",
    "journal_entry",
    "fact",
    "reconciliation_break",
)


@pytest.fixture(scope="module")
def _day(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with given_once(django_db_blocker, payouts_day) as made:
        yield made


@pytest.fixture
def day(_day: None, db: None) -> None:
    return deepcopy(_day)


def payouts_day() -> None:
    """Every way a payout can stand: waiting, by book, with the bank, proven, said to be paid, come back."""
    our_bank()
    proposed(to_bank())
    own, _ = to_account()
    sent, shown, said, back = released(to_bank(), to_bank(), to_bank(), to_bank())
    released(own)
    payouts_send(now=LATER)
    amount = shown.amount_minor
    bank_lines((shown.end_to_end_id, -amount), (back.end_to_end_id, -amount), (back.end_to_end_id, amount))
    proven()
    yes(payout_confirm(payout_id=said.pk, returned=False, by=maker(), reason="x", actor=ACTOR, now=LATER))
    released(to_bank())
    bank()
    compared(DUE)
    del sent


def test_a_day_of_payouts_is_right(day: None) -> None:
    assert wrong() == {}

    examined = {check.name: found.examined for check, found in verify(SOON) if proven_elsewhere(check, PAYOUTS)}
    assert examined.keys() == VIOLATIONS.keys()
    assert all(examined.values()), examined


ONE = "(SELECT min(id) FROM payout WHERE state = '{}' AND way = 'BANK_FILE')"
PROVEN = (
    "(SELECT payout_id FROM reconciliation_bank_match m JOIN payout p ON p.id = m.payout_id WHERE p.state = 'PAID')"
)

# Name of the check -> how to break its rule, and which others must see the same thing.
VIOLATIONS: dict[str, tuple[str, set[str]]] = {
    "payouts_are_what_was_settled": (
        f"UPDATE payout SET state = 'APPROVED', approved_at = now() WHERE id = {ONE.format('PENDING_APPROVAL')}",
        {"payouts_were_released_by_two"},
    ),
    "payouts_were_released_by_two": (
        f"""UPDATE proposal SET parameters = jsonb_set(parameters, '{{payouts}}', '[]')
            WHERE id = (SELECT proposal_id FROM payout WHERE id = {ONE.format("SENT")})""",
        set(),
    ),
    "payouts_are_proven": (
        f"UPDATE bank_line SET amount_minor = amount_minor - 1 WHERE end_to_end_id = (SELECT end_to_end_id FROM payout WHERE id = {PROVEN})",
        {"the_bank_has_what_was_matched", "charges_of_payouts_are_what_lines_show"},
    ),
    "payouts_are_booked": (
        "UPDATE fact SET subject_id = 'pyt_other' WHERE name = 'payout.returned'",
        {"every_payout_version_has_its_fact"},
    ),
    "charges_of_payouts_are_what_lines_show": (
        """UPDATE proposal SET parameters = '{"legs": [{"minor": 5}]}' WHERE kind = 'payout.confirm_paid'""",
        set(),
    ),
    "what_people_confirmed_is_unproven": (
        """UPDATE posting SET account_id = (SELECT code FROM ledger_account WHERE code LIKE 'payout_in_transit:%' LIMIT 1)
           WHERE account_id = 'bank:unproven:test:MYR'""",
        {"payouts_are_booked", "payouts_in_transit_are_what_was_settled", "stages_add_up_to_the_ledger"},
    ),
    "payout_breaks_are_of_what_was_sent": (
        "UPDATE reconciliation_break SET our_minor = our_minor - 1 WHERE payout_id IS NOT NULL",
        set(),
    ),
    "payout_files_add_up": (
        "UPDATE payout_file SET total_minor = total_minor + 1",
        set(),
    ),
    "payout_files_are_from_agreed_accounts": (
        "UPDATE payout_file SET account_key = account_key || '0'",
        {"payouts_are_proven"},
    ),
    "stages_add_up_to_the_ledger": (
        f"UPDATE settlement SET state = 'PAID' WHERE id = (SELECT settlement_id FROM payout WHERE id = {ONE.format('SENT')})",
        {"payouts_are_what_was_settled", "payouts_in_transit_are_what_was_settled"},
    ),
    "every_payout_version_has_its_fact": (
        f"UPDATE payout SET version = version + 1 WHERE id = {ONE.format('SENT')}",
        set(),
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_planted_lie_is_named(day: None, name: str) -> None:
    statement, also = VIOLATIONS[name]
    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0

    assert set(wrong()) == {name, *also}


@pytest.mark.parametrize("amount", ["<", ">"])
def test_a_proof_by_another_account_is_named(day: None, amount: str) -> None:
    shown = f"UPDATE bank_line SET account_key = '9999' WHERE amount_minor {amount} 0"
    with rules_lifted(*TABLES), connection.cursor() as cursor:
        cursor.execute(shown)
        assert cursor.rowcount > 0

    found = wrong()

    assert set(found) == {"payouts_are_proven", "the_bank_has_what_was_matched"}
    assert "on mybank 9999" in found["payouts_are_proven"][0]
