"""Every model has a list and a page, nothing on them can be written, and a longer list costs no more queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse

from common.console.base import ConsoleAdmin
from common.models import AuditRecord
from payments.models import Transaction
from tests.console.conftest import SignIn
from tests.console.world import World
from tests.factories import captured_transaction

OURS = ("common", "merchants", "payments", "notifications", "reconciliation")
MODELS = [model for app in OURS for model in apps.get_app_config(app).get_models()]
EDITABLE = {"merchant", "provideraccount", "source"}
ADDABLE = {"merchant", "source"}


def _base(model: type[Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def test_every_model_is_in_the_console() -> None:
    shown = {model for model, page in admin.site._registry.items() if isinstance(page, ConsoleAdmin)}

    assert shown == set(MODELS)


def test_every_list_and_page_opens(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("auditor")

    for model in MODELS:
        row = model._default_manager.first()
        assert row is not None, f"the world has no {model.__name__}"
        for url in (_base(model), _base(model) + "?q=KEDAI", f"{_base(model)}{row.pk}/change/"):
            response = client.get(url)
            assert response.status_code == 200, f"{url}: {response.status_code}"


def _addresses() -> list[tuple[str, list[str]]]:
    """The name of every address of ours in the console that takes a key, and the names of what it takes."""
    ours = tuple(f"{app}_" for app in OURS)
    found = [(url.name, list(url.pattern.converters)) for url in _flat(admin.site.urls[0])]
    return [(f"admin:{name}", keys) for name, keys in found if keys and name and name.startswith(ours)]


def _flat(urls: list[Any]) -> Iterator[URLPattern]:
    for url in urls:
        if isinstance(url, URLResolver):
            yield from _flat(url.url_patterns)
        else:
            yield url


@pytest.mark.parametrize("key", ["\x00", "a\x00b"])
def test_an_address_that_is_no_key_is_not_found(shared_world: World, sign_in: SignIn, key: str) -> None:
    client = sign_in("superuser")
    addresses = _addresses()
    assert {name for name, _ in addresses} >= {
        "admin:reconciliation_statement_file",
        "admin:reconciliation_dayclose_day",
        "admin:payments_transaction_refund",
        "admin:common_proposal_approve_it",
    }
    good = {"mode_name": "test", "of": date(2026, 3, 2)}

    for name, keys in addresses:
        allowed = {404}
        try:
            url = reverse(name, args=[good.get(each, key) for each in keys])
        except NoReverseMatch:  # it takes numbers only; this is a key of nothing
            url, allowed = reverse(name, args=[10**30 for _ in keys]), {302, 403, 404}
        answers = {client.get(url).status_code, client.post(url, {"_form_submitted": "True"}).status_code}
        assert answers <= allowed, f"{url}: {answers}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_nothing_can_be_written_by_a_forged_post(model: type[Model], shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    row = model._default_manager.first()
    assert row is not None
    before = list(model._default_manager.order_by("pk").values())
    forged = [
        (f"{_base(model)}{row.pk}/delete/", {"post": "yes"}),
        (
            _base(model),
            {"action": "delete_selected", "_selected_action": [row.pk], "select_across": "1", "post": "yes"},
        ),
    ]
    if model._meta.model_name not in EDITABLE:
        forged.append((f"{_base(model)}{row.pk}/change/", {"status": "REFUNDED", "amount_minor": "1"}))
    if model._meta.model_name not in ADDABLE:
        forged.append((f"{_base(model)}add/", {}))

    answers = [client.post(url, data).status_code for url, data in forged]

    assert answers == [403] * len(forged)
    refusals = AuditRecord.objects.filter(action="console.refused", actor="operator:demo_superuser")
    assert refusals.count() == len(forged)
    if model is not AuditRecord:
        assert list(model._default_manager.order_by("pk").values()) == before


def test_a_change_form_ignores_what_it_does_not_show(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    form = {
        "name": "Kedai Baru",
        "contact_email": "baru@kedai.example",
        "time_zone": "Asia/Kuala_Lumpur",
        "extra_fields": "[]",
        "rate_plan": "default",
        "require_idempotency": "unknown",
        "is_active": "on",
        "code": "OTHER",
        "currency": "USD",
        "eps_api_key_sealed": "x",
        "pass_phrase_sealed": "x",
    }
    sealed = shared_world.merchant.pass_phrase_sealed

    response = client.post(f"/admin/merchants/merchant/{shared_world.merchant.pk}/change/", form)

    assert response.status_code == 302
    shared_world.merchant.refresh_from_db()
    assert (shared_world.merchant.name, shared_world.merchant.code, shared_world.merchant.currency) == (
        "Kedai Baru",
        "KEDAI",
        "MYR",
    )
    assert shared_world.merchant.pass_phrase_sealed == sealed
    record = AuditRecord.objects.get(action="merchant.changed")
    assert record.subject_id == shared_world.merchant.pk
    assert record.changes["contact_email"] == ["pemilik@kedai.example", "baru@kedai.example"]


MOST = {
    "payments/transaction": 10,
    "payments/payment": 9,
    "payments/operation": 9,
    "payments/refund": 9,
    "payments/journalentry": 9,
    "payments/posting": 9,
    "common/fact": 9,
    "common/auditrecord": 9,
}


def test_a_list_of_fifty_costs_as_many_queries_as_one_of_five(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    client.get("/admin/payments/transaction/")
    few = {path: _queries(client, path) for path in MOST}

    for _ in range(50):
        captured_transaction(shared_world.account)

    assert Transaction.objects.count() > 50
    assert {path: _queries(client, path) for path in MOST} == few
    assert {path: count for path, count in few.items() if count > MOST[path]} == {}


def _queries(client: object, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(f"/admin/{path}/").status_code == 200  # type: ignore[attr-defined]
    return len(seen)
