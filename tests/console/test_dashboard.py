"""The dashboard's figures."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import ProviderAccount
from payments.models import Operation
from payments.providers.base import Outcome
from tests.console.conftest import SignIn
from tests.console.world import World
from tests.factories import captured_transaction, new_transaction, sale_of, settle
from tests.support.days import whole_today


def test_today_per_method(account: ProviderAccount, sign_in: SignIn) -> None:
    whole_today()
    now = timezone.now()
    for _ in range(2):
        captured_transaction(account, now=now)
    settle(sale_of(new_transaction(account, now=now).transaction), Outcome.DECLINED, now=now)
    new_transaction(account, now=now)
    captured_transaction(account, now=now - timedelta(days=1))  # not today

    text = sign_in("support").get("/admin/").content.decode()

    assert "4 transactions today" in text
    assert '<span class="cf-currency">MYR</span> 200.00' in text
    assert "67 %" in text  # two of the three that have ended
    assert 'class="cf-badge cf-warning">Test</span>' in text


def test_live_is_apart_from_test(account: ProviderAccount, sign_in: SignIn) -> None:
    whole_today()
    captured_transaction(account, now=timezone.now())

    text = sign_in("support").get("/admin/?mode=live").content.decode()

    assert "No live transactions yet today." in text


def test_cards_say_what_waits(world: World, sign_in: SignIn) -> None:
    operation = sale_of(new_transaction(world.account).transaction)
    Operation.objects.filter(pk=operation.pk).update(state="UNKNOWN")

    cards = {card.title: card for card in sign_in("operations").get("/admin/").context["cards"]}

    assert {title: (card.value, card.tone) for title, card in cards.items() if title != "Oldest unpublished fact"} == {
        "Open questions": ("1", "danger"),
        "Unknown outcomes": ("1", "warning"),
        "Webhooks given up": ("0", "success"),  # the dead one is older than a day
        "Open breaks": ("1", "warning"),
        "Waiting for a second person": ("1", "warning"),
        "Payouts not shown by the bank": ("1", "warning"),
        "Payouts the bank refuses": ("0", "success"),
    }
    assert cards["Oldest unpublished fact"].tone == "danger"


def test_a_role_sees_its_own_cards(world: World, sign_in: SignIn) -> None:
    titles = [card.title for card in sign_in("support").get("/admin/").context["cards"]]

    assert titles == ["Open questions", "Unknown outcomes", "Webhooks given up"]


def test_it_costs_few_queries(world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    client.get("/admin/")

    with CaptureQueriesContext(connection) as seen:
        client.get("/admin/")

    assert len(seen) <= 17  # five of them are the session and the operator
