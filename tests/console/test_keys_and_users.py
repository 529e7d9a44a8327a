"""Merchants' keys, users and endpoints in the console: who may, with a reason, audited; a secret is in one answer and nowhere else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from common.errors import Unauthorized
from common.models import AuditRecord, Fact
from merchants.models import ApiKey, Merchant, MerchantSession, MerchantUser
from merchants.services.sessions import sign_in as merchant_sign_in
from merchants.services.users import merchant_user_create
from notifications.models import WebhookDelivery, WebhookEndpoint
from tests.console.conftest import SignIn
from tests.factories import NOW, ApiKeyFactory, MerchantFactory
from tests.notifications import given
from tests.support.api import Api, content, refusal

pytestmark = pytest.mark.django_db
OTHERS = ["operations", "refunds", "finance", "support", "auditor", "none"]
SUBMITTED = {"_form_submitted": "True"}


def shown_secret(response: Any) -> str:
    """The secret on the page that answers, which nothing may cache."""
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    [secret] = re.findall(r'id="secret-1"[^>]*value="([^"]+)"', response.content.decode())
    return secret


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def key_form(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    return {
        "merchant": merchant.pk,
        "mode": "test",
        "name": "till 3",
        "scopes": ["transaction:read", "account:read"],
        "days": "30",
        "networks": "127.0.0.0/8\n::1",
        "reason": "New till",
    } | changes


NEW_KEY, NEW_USER = "/admin/merchants/apikey/new-key/", "/admin/merchants/merchantuser/new-user/"


def test_a_key_is_made_shown_once_and_works(sign_in: SignIn) -> None:
    client, merchant = sign_in("onboarding"), MerchantFactory()

    response = client.post(NEW_KEY, key_form(merchant))

    secret = shown_secret(response)
    key = ApiKey.objects.get()
    assert (key.merchant, key.live, key.name, key.scopes) == (
        merchant,
        False,
        "till 3",
        ["account:read", "transaction:read"],
    )
    assert key.allowed_networks == ["127.0.0.0/8", "::1/128"]
    assert key.expires_at - key.created_at == timedelta(days=30)
    api = Api.__new__(Api)
    api.headers, api._client = {"X-API-Key": secret}, Client()
    assert content(api.get("/transactions"))["data"] == []
    refusal(api.get("/webhook-endpoints"), 403, "FORBIDDEN")
    record = AuditRecord.objects.get(action="api_key.created")
    assert (record.actor, record.reason, record.subject_id) == ("operator:demo_onboarding", "New till", key.pk)
    assert secret not in str(list(AuditRecord.objects.values()))
    assert secret not in client.get(f"/admin/merchants/apikey/{key.pk}/change/").content.decode()


@pytest.mark.parametrize(
    "changes",
    [{"reason": ""}, {"merchant": "mer_none"}, {"scopes": []}, {"days": "367"}, {"networks": "here"}, {"mode": ""}],
)
def test_a_key_that_cannot_be_is_not_made(changes: dict[str, Any], sign_in: SignIn) -> None:
    merchant = MerchantFactory()

    response = sign_in("onboarding").post(NEW_KEY, key_form(merchant) | changes)

    assert response.status_code == 200
    assert "secret-1" not in response.content.decode()
    assert not ApiKey.objects.exists()


def test_rotating_keeps_the_old_key_for_the_overlap(sign_in: SignIn) -> None:
    old = ApiKeyFactory(allowed_networks=["203.0.113.0/24"])

    response = sign_in("onboarding").post(
        f"/admin/merchants/apikey/{old.pk}/rotate/", {"days": "3", "reason": "It leaked"}
    )

    assert shown_secret(response).startswith("cfk_test_")
    successor = ApiKey.objects.exclude(pk=old.pk).get()
    old.refresh_from_db()
    assert timedelta(days=2) < old.expires_at - timezone.now() <= timedelta(days=3)
    assert (successor.scopes, successor.allowed_networks) == (sorted(old.scopes), ["203.0.113.0/24"])
    assert set(AuditRecord.objects.values_list("action", "reason")) >= {
        ("api_key.rotated", "It leaked"),
        ("api_key.created", "It leaked"),
    }


def test_addresses_are_limited_and_a_key_is_revoked(sign_in: SignIn) -> None:
    client, key = sign_in("onboarding"), ApiKeyFactory()
    page = f"/admin/merchants/apikey/{key.pk}"
    api = Api(key)
    content(api.get("/accounts"))

    client.post(f"{page}/networks/", SUBMITTED | {"networks": "203.0.113.7", "reason": "Only their server"})
    refusal(api.get("/accounts"), 401, "UNAUTHORIZED")
    bad = client.post(f"{page}/networks/", SUBMITTED | {"networks": "203.0.113.7/8", "reason": "x"})
    assert said(bad)[-1].startswith("Nothing was done: allowedNetworks")
    client.post(f"{page}/networks/", SUBMITTED | {"networks": "", "reason": "Back"})
    content(api.get("/accounts"))
    client.post(f"{page}/revoke/", SUBMITTED | {"reason": "Gone"})

    refusal(api.get("/accounts"), 401, "UNAUTHORIZED")
    assert list(AuditRecord.objects.filter(subject_id=key.pk).order_by("id").values_list("action", "reason")) == [
        ("api_key.allowed", "Only their server"),
        ("api_key.allowed", "Back"),
        ("api_key.revoked", "Gone"),
    ]
    assert "Rotate" not in client.get(f"{page}/change/").content.decode()


def test_a_user_is_made_and_gets_a_new_password(sign_in: SignIn, settings: Any) -> None:
    client, merchant = sign_in("onboarding"), MerchantFactory()
    form = {
        "merchant": merchant.pk,
        "mode": "test",
        "username": "nurul",
        "scopes": ["account:read"],
        "reason": "Joined",
    }

    first = shown_secret(client.post(NEW_USER, form))
    user = MerchantUser.objects.get()
    merchant_sign_in(username="nurul", password=first, request_id="", now=NOW)
    second = shown_secret(client.post(f"/admin/merchants/merchantuser/{user.pk}/reset/", {"reason": "Forgot it"}))

    with pytest.raises(Unauthorized):
        merchant_sign_in(username="nurul", password=first, request_id="", now=NOW)
    assert MerchantSession.objects.get().revoked_reason == "password_reset"
    merchant_sign_in(username="nurul", password=second, request_id="", now=NOW)
    assert "Taken" in client.post(NEW_USER, form).content.decode()
    actions = AuditRecord.objects.filter(subject_id=user.pk).order_by("id").values_list("action", "reason")
    assert list(actions) == [("merchant_user.created", "Joined"), ("merchant_user.password_reset", "Forgot it")]
    assert first not in str(list(AuditRecord.objects.values()))


def test_a_user_who_left_is_deactivated_with_all_sessions(sign_in: SignIn) -> None:
    user = merchant_user_create(
        merchant_id=MerchantFactory().pk,
        username="nurul",
        password="a horse of another colour",  # of this test
        live=False,
        scopes=["account:read"],
        actor=given.MERCHANT,
        now=NOW,
    )
    merchant_sign_in(username="nurul", password="a horse of another colour", request_id="", now=NOW)
    client, url = sign_in("onboarding"), f"/admin/merchants/merchantuser/{user.pk}/switch/"

    for _ in range(2):
        client.post(url, SUBMITTED | {"to": "off", "reason": "Left"})

    user.refresh_from_db()
    assert (user.is_active, MerchantSession.objects.get().revoked_reason) == (False, "deactivated")
    assert AuditRecord.objects.filter(action="merchant_user.deactivated").count() == 1


def test_an_endpoint_is_switched_and_gets_again_what_it_missed(sign_in: SignIn) -> None:
    endpoint, _ = given.endpoint()
    sent = given.delivery(endpoint)
    WebhookDelivery.objects.update(state="DEAD", due_at=None)
    client, page = sign_in("operations"), f"/admin/notifications/webhookendpoint/{endpoint.pk}"
    span = SUBMITTED | {"since": "2026-03-02 12:00", "until": "2026-03-02 12:01", "state": "DEAD", "reason": "Outage"}

    client.post(f"{page}/switch/", SUBMITTED | {"to": "off", "reason": "They asked"})
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "operator")
    assert said(client.post(f"{page}/replay-span/", span))[-1].startswith(
        "Nothing was sent: The endpoint is not active"
    )
    client.post(f"{page}/switch/", SUBMITTED | {"to": "on", "reason": "Mended"})
    assert said(client.post(f"{page}/replay-span/", span))[-1] == "1 deliveries are sent again now."

    sent.refresh_from_db()
    assert sent.state == "PENDING"
    audit = AuditRecord.objects.filter(subject_id=endpoint.pk).order_by("id").values_list("action", "reason")
    assert list(audit)[-3:] == [
        ("webhook_endpoint.disabled", "They asked"),
        ("webhook_endpoint.updated", "Mended"),
        ("webhook_endpoint.replayed", "Outage"),
    ]


@pytest.mark.parametrize("role", OTHERS)
def test_without_the_permission_nothing_happens(role: str, sign_in: SignIn) -> None:
    key, merchant = ApiKeyFactory(), MerchantFactory()
    user = merchant_user_create(
        merchant_id=merchant.pk,
        username="nurul",
        password="a horse of another colour",  # of this test
        live=False,
        scopes=["account:read"],
        actor=given.MERCHANT,
        now=NOW,
    )
    client = sign_in(role)
    posts = {
        NEW_KEY: key_form(merchant),
        NEW_USER: {"merchant": merchant.pk, "mode": "test", "username": "x", "scopes": ["account:read"], "reason": "x"},
        f"/admin/merchants/apikey/{key.pk}/rotate/": {"days": 1, "reason": "x"},
        f"/admin/merchants/apikey/{key.pk}/revoke/": SUBMITTED | {"reason": "x"},
        f"/admin/merchants/apikey/{key.pk}/networks/": SUBMITTED | {"networks": "", "reason": "x"},
        f"/admin/merchants/merchantuser/{user.pk}/reset/": {"reason": "x"},
        f"/admin/merchants/merchantuser/{user.pk}/switch/": SUBMITTED | {"to": "off", "reason": "x"},
    }
    before = list(ApiKey.objects.values()), list(MerchantUser.objects.values())

    assert {client.post(url, form).status_code for url, form in posts.items()} == {403}

    assert (list(ApiKey.objects.values()), list(MerchantUser.objects.values())) == before


def test_opening_a_form_changes_nothing(sign_in: SignIn) -> None:
    client, key = sign_in("superuser"), ApiKeyFactory()
    endpoint, _ = given.endpoint()
    before = list(ApiKey.objects.values()), list(WebhookEndpoint.objects.values()), Fact.objects.count()

    for url in (
        NEW_KEY,
        NEW_USER,
        f"/admin/merchants/apikey/{key.pk}/rotate/?days=1&reason=x",
        f"/admin/merchants/apikey/{key.pk}/revoke/?reason=x&_form_submitted=True",
        f"/admin/merchants/apikey/{key.pk}/networks/?reason=x&_form_submitted=True",
        f"/admin/notifications/webhookendpoint/{endpoint.pk}/switch/?to=off&reason=x&_form_submitted=True",
    ):
        assert client.get(url, follow=True).status_code == 200, url

    after = list(ApiKey.objects.values()), list(WebhookEndpoint.objects.values()), Fact.objects.count()
    assert after == before
