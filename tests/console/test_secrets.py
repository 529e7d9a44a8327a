"""Secrets are on no page, not even sealed, and cannot be guessed letter by letter through filters."""

from __future__ import annotations

import pytest

from common.models import Proposal
from merchants.models import ApiKey, MerchantUser, RefreshToken
from notifications.models import WebhookEndpoint
from reconciliation.models import SettlementTerms
from tests.console.conftest import SignIn
from tests.console.world import SECRET, World


def test_no_page_shows_a_secret(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    key, endpoint = ApiKey.objects.get(), WebhookEndpoint.objects.get()
    secrets = [
        shared_world.merchant.eps_api_key_sealed,
        shared_world.merchant.pass_phrase_sealed,
        shared_world.account.credentials_sealed,
        endpoint.secret_sealed,
        MerchantUser.objects.get().password,
        bytes(RefreshToken.objects.get().token_hash).hex(),
        bytes(key.secret_hash).hex(),
        str(bytes(key.secret_hash)),
        SECRET,
        "never-to-be-seen",
        "NEVERTOBESEEN",
        "BEGIN PRIVATE KEY",
    ]
    pages = [
        f"merchants/merchant/{shared_world.merchant.pk}/change/",
        f"merchants/merchantuser/{MerchantUser.objects.get().pk}/change/",
        f"merchants/refreshtoken/{RefreshToken.objects.get().pk}/change/",
        f"merchants/provideraccount/{shared_world.account.pk}/change/",
        f"merchants/apikey/{key.pk}/change/",
        f"notifications/webhookendpoint/{endpoint.pk}/change/",
        *(f"common/proposal/{proposal.pk}/change/" for proposal in Proposal.objects.all()),
        *(f"reconciliation/settlementterms/{terms.pk}/change/" for terms in SettlementTerms.objects.all()),
        "merchants/merchant/",
        "merchants/provideraccount/",
        "merchants/apikey/",
        "notifications/webhookendpoint/",
    ]

    for page in pages:
        text = client.get(f"/admin/{page}").content.decode()
        assert not [secret for secret in secrets if secret in text], page


@pytest.mark.parametrize(
    "query",
    [
        "payments/transaction/?merchant__pass_phrase_sealed__startswith=v1",
        "payments/transaction/?payer_email__startswith=n",
        "merchants/merchant/?eps_api_key_sealed__startswith=v1",
        "merchants/provideraccount/?credentials_sealed__startswith=v1",
        "merchants/provideraccount/?merchant__pass_phrase_sealed__startswith=v1",
        "merchants/apikey/?secret_hash__startswith=a",
        "merchants/merchantuser/?password__startswith=a",
        "merchants/refreshtoken/?token_hash__startswith=a",
        "merchants/apikey/?merchant__api_keys__secret_hash__startswith=a",
        "notifications/webhookendpoint/?secret_sealed__startswith=v1",
        "notifications/webhookdelivery/?endpoint__secret_sealed__startswith=v1",
        "payments/payment/?provider_account__credentials_sealed__startswith=v1",
    ],
)
def test_filters_are_no_oracle(query: str, shared_world: World, sign_in: SignIn) -> None:
    assert sign_in("superuser").get(f"/admin/{query}").status_code == 400


def test_the_filters_of_a_page_work(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("superuser")
    shown = f"?status__exact=PARTIALLY_REFUNDED&merchant__id__exact={shared_world.merchant.pk}&live__exact=0&method=fpx&provider=fpx"

    found = client.get(f"/admin/payments/transaction/{shown}").context["cl"].queryset

    assert [transaction.pk for transaction in found] == [shared_world.transaction.pk]


@pytest.mark.parametrize(
    "query, found",
    [
        ("payments/reviewitem/?resolved=yes", 0),
        ("payments/reviewitem/", 1),
        ("payments/providerevent/?provider=fpx&state__exact=ACTED", 1),
        ("payments/transaction/?created_at_from=2026-03-02&created_at_to=2026-03-02", 2),
        ("payments/transaction/?created_at_from=2026-03-03", 0),
        ("payments/transaction/?created_at_from=0001-01-01&created_at_to=9999-12-31", 2),
        ("payments/transaction/?created_at_from=yesterday", 2),
        ("payments/transaction/?provider=migs", 0),
        ("payments/journalentry/?fact=refund.completed", 1),
        ("common/fact/?published_at__isempty=0", 0),
        ("reconciliation/break/?provider=fpx&kind__exact=FEE_MISMATCH", 1),
        ("notifications/webhookdelivery/?event=transaction.created&endpoint__live__exact=0", 1),
    ],
)
def test_each_kind_of_filter_is_let_through(query: str, found: int, shared_world: World, sign_in: SignIn) -> None:
    response = sign_in("superuser").get(f"/admin/{query}")

    assert response.status_code == 200
    assert response.context["cl"].queryset.count() == found
