"""One box on every page: any whole reference leads to its record, a word to the pages that carry it; to nobody more than the lists show."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from common.console.html import page_url
from common.models import Fact, Proposal
from payments.models import JournalEntry, Refund
from reconciliation.models import BankLine, Break, Payout, Remittance, Settlement, Statement, StatementLine
from tests.console.conftest import SignIn
from tests.console.world import World
from tests.factories import sale_of


def found(client: Client, term: str) -> list[str]:
    """The addresses that the box shows."""
    response = client.get("/admin/search/", {"s": term})
    assert response.status_code == 200
    return [item.link for item in response.context["results"]]


def test_a_reference_leads_to_its_record(world: World, sign_in: SignIn) -> None:
    operation = sale_of(world.transaction)
    payout, settlement = Payout.objects.first(), Settlement.objects.order_by("pk").first()
    line = StatementLine.objects.get(matches__operation=operation)
    assert payout is not None
    assert settlement is not None
    client = sign_in("superuser")

    wanted: dict[str, Any] = {
        world.transaction.pk: world.transaction,
        "INV-77": world.transaction,
        operation.reference.lower(): world.transaction,
        "nurul@payer.example": world.transaction,
        Refund.objects.get().pk: Refund.objects.get(),
        settlement.pk: settlement,
        payout.pk: payout,
        f" {payout.end_to_end_id} ": payout,
        line.provider_reference: line,
        "kedai": world.merchant,
    }
    for model in (JournalEntry, Fact, Statement, Remittance, Proposal):
        row = model.objects.first()
        assert row is not None
        wanted[row.pk] = row
    bank_line = BankLine.objects.first()
    assert bank_line is not None
    wanted[bank_line.reference] = bank_line

    assert {term: page_url(row) in found(client, term) for term, row in wanted.items()} == dict.fromkeys(wanted, True)


def test_an_open_break_is_found_by_what_it_is_about(world: World, sign_in: SignIn) -> None:
    broken = Break.objects.filter(resolved_at=None, line__isnull=False).first()
    assert broken is not None
    assert broken.line is not None

    assert page_url(broken) in found(sign_in("finance"), broken.line.provider_reference)


def test_a_word_leads_to_pages(world: World, sign_in: SignIn) -> None:
    assert found(sign_in("finance"), "day cl") == ["/admin/reconciliation/dayclose/board/"]
    assert "/admin/common/auditrecord/" in found(sign_in("auditor"), "AUDIT")


@pytest.mark.parametrize("role", ["support", "none"])
def test_nobody_finds_what_the_lists_do_not_show_them(role: str, world: World, sign_in: SignIn) -> None:
    payout = Payout.objects.first()
    assert payout is not None
    found(sign_in("superuser"), payout.end_to_end_id)  # and what others found is not remembered
    client = sign_in(role)

    shown = [found(client, term) for term in (payout.pk, payout.end_to_end_id, "audit log", "payouts")]

    assert shown == [[], [], [], []]
    assert (page_url(world.transaction) in found(client, world.transaction.pk)) == (role == "support")


def test_who_is_not_signed_in_finds_nothing(world: World) -> None:
    response = Client().get("/admin/search/", {"s": world.transaction.pk})

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("term", ["", "  ", "' OR 1=1 --", "%", "x" * 10_000, "a\x00b", "txn_", "📎"])
def test_a_strange_term_finds_nothing(term: str, world: World, sign_in: SignIn) -> None:
    assert found(sign_in("superuser"), term) == []


def test_what_a_record_is_found_by_leads_an_index(db: None) -> None:
    few = {"provider_account.account_key", "api_key.prefix"}  # tables of hundreds of rows
    without = set()
    for model, page in site._registry.items():
        for path in getattr(page, "found_by", ()):
            column = model._meta.pk.column if path == "pk" else model._meta.get_field(path).column
            with connection.cursor() as cursor:
                rules = connection.introspection.get_constraints(cursor, model._meta.db_table).values()
            if not any((rule["index"] or rule["unique"]) and rule["columns"][:1] == [column] for rule in rules):
                without.add(f"{model._meta.db_table}.{column}")

    assert without == few


def test_finding_costs_a_look_up_a_kind_and_needs_no_redis(world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    kinds = sum(
        1
        for page in site._registry.values()
        if getattr(page, "find", lambda *_: None)(RequestFactory().get("/"), "x") is not None
    )
    with CaptureQueriesContext(connection) as queries:
        found(client, world.transaction.pk)

    assert kinds > 20
    assert len(queries) <= kinds + 6  # the session, the operator, the navigation's numbers
