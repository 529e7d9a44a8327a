"""The payment page: everything about one transaction on one screen, as far as the operator may see it."""

from __future__ import annotations

from django.contrib.admin.utils import quote
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import ReviewItem
from payments.providers.base import Outcome
from tests.console.conftest import SignIn
from tests.console.world import World
from tests.factories import attempt, captured_transaction, new_hosted, new_transaction, sale_of, settle


def _url(shared_world: World) -> str:
    return f"/admin/payments/transaction/{shared_world.transaction.pk}/change/"


def test_it_shows_everything_at_once(shared_world: World, sign_in: SignIn) -> None:
    response = sign_in("superuser").get(_url(shared_world))
    text = response.content.decode()

    page = response.context["page"]
    refund = shared_world.transaction.refunds.get()
    assert [(total.currency, total.debit_minor, total.credit_minor) for total in page.totals] == [
        ("MYR", 12_650, 12_650)  # 100.00 captured, 1.50 fee, 25.00 refunded
    ]
    assert [moment.name for moment in page.history] == [
        "transaction.created",
        "payment.processing",
        "payment.captured",
        "refund.created",
        "refund.completed",
    ]
    assert all(moment.fact and moment.record for moment in page.history)
    for shown in (
        "FPX990",
        "004217",
        "MB42",
        "INV-77",
        "nurul@payer.example",
        sale_of(shared_world.transaction).reference,
        refund.operation.reference,
        "Damaged",
        "https://kedai.example/hook",
        "req_9",
        "Balanced",
    ):
        assert shown in text, shown


def test_times_are_the_operators_with_utc_beside(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    client.cookies["console_zone"] = "America/Sao_Paulo"

    text = client.get(_url(shared_world)).content.decode()

    assert 'title="2026-03-02 04:00:00 UTC">2 Mar 2026 01:00:00</time>' in text


def test_an_invented_zone_is_the_offices(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    client.cookies["console_zone"] = "../../etc/passwd"

    assert 'UTC">2 Mar 2026 12:00:00</time>' in client.get(_url(shared_world)).content.decode()


def test_what_a_payer_wrote_is_escaped(shared_world: World, sign_in: SignIn) -> None:
    text = sign_in("superuser").get(_url(shared_world)).content.decode()

    assert "Nurul &lt;script&gt;" in text
    assert "<script>alert(1)" not in text


def test_it_shows_only_what_the_role_may_see(shared_world: World, sign_in: SignIn) -> None:
    response = sign_in("support").get(_url(shared_world))
    text = response.content.decode()

    assert (response.context["page"].entries, response.context["page"].events) == (None, None)
    assert response.context["page"].history == []
    assert "operator:aisha" in text  # who asked for the refund
    for hidden in ("We owe the merchant", "Provider events", "req_9", 'id="refund-button"', "Send again"):
        assert hidden not in text, hidden


def test_an_open_conflict_stands_at_the_top(shared_world: World, sign_in: SignIn) -> None:
    item = ReviewItem.objects.get()

    text = sign_in("support").get(f"/admin/payments/transaction/{item.payment.transaction_id}/change/").content.decode()

    assert "Asked for 100.00 MYR, the provider moved 90.00 MYR." in text


def test_buttons_stand_where_they_can_work(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("refunds")
    unpaid = new_transaction(shared_world.account).transaction

    paid_page = client.get(_url(shared_world)).content.decode()
    unpaid_page = client.get(f"/admin/payments/transaction/{unpaid.pk}/change/").content.decode()

    assert 'id="refund-button"' in paid_page
    assert "look-up/" not in paid_page
    assert 'id="refund-button"' not in unpaid_page
    assert f"/admin/payments/operation/{sale_of(unpaid).pk}/look-up/" in unpaid_page


def test_it_costs_the_same_queries_whatever_happened(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    plain = captured_transaction(shared_world.account)
    client.get(_url(shared_world))

    with CaptureQueriesContext(connection) as many:
        client.get(_url(shared_world))
    with CaptureQueriesContext(connection) as few:
        client.get(f"/admin/payments/transaction/{plain.pk}/change/")

    assert len(many) <= 22  # the way of its money takes three
    assert len(many) - len(few) <= 2  # prefetches of what is empty are not asked


def test_an_unknown_transaction_leads_back(sign_in: SignIn) -> None:
    assert sign_in("superuser").get("/admin/payments/transaction/txn_none/change/").status_code == 302


def test_the_lists_own_link_leads_to_the_page(shared_world: World, sign_in: SignIn) -> None:
    """Django's lists quote ids in their links ("txn_5F01..."), our pages do not: both lead to the payment page."""
    client = sign_in("superuser")
    listed = client.get("/admin/payments/transaction/").content.decode()
    quoted = f"/admin/payments/transaction/{quote(shared_world.transaction.pk)}/change/"

    assert quoted in listed
    assert quoted != _url(shared_world)
    assert client.get(quoted).context["page"].transaction == shared_world.transaction


def test_a_payers_own_choice_shows_every_attempt(shared_world: World, sign_in: SignIn) -> None:
    account = shared_world.transaction.payments.get().provider_account
    hosted = new_hosted(account)
    url = f"/admin/payments/transaction/{quote(hosted.pk)}/change/"
    client = sign_in("superuser")

    assert "Payer chooses" in client.get(url).content.decode()
    settle(attempt(hosted), Outcome.DECLINED)
    attempt(hosted)
    text = client.get(url).content.decode()

    assert ("Attempt 1: FPX" in text, "Attempt 2: FPX" in text) == (True, True)
    assert "payment.attempt_declined" in text
