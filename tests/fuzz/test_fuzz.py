"""The served schema and the routes agree: requests made up from it, with a real key and a real access token, over every route.

A few seconds here; `FUZZ_EXAMPLES=100 pytest tests/fuzz` asks as much of every operation, and tries all the schema's boundaries too.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
import requests
from django.utils import timezone

from common.changes import Actor
from merchants.scopes import Scope
from merchants.services.users import merchant_user_create
from tests.factories import new_account
from tests.fuzz.fuzzer import Figures, fuzz, report
from tests.sdk.given import Shop, open_shop

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
LONG = "FUZZ_EXAMPLES" in os.environ
PHASES = ("examples", "coverage", "fuzzing", "stateful") if LONG else ("examples", "fuzzing")
OF_NOBODY = {"POST /api/v1/auth/login", "POST /api/v1/auth/refresh", "POST /api/v1/auth/logout"}


@pytest.fixture
def shop(live_server: Any, settings: Any, sandbox_url: str) -> Shop:
    settings.PUBLIC_BASE_URL = live_server.url
    shop = open_shop(live_server.url, sandbox_url)
    for account_id in ("acc_1", "acc_2"):
        new_account(shop.merchant, 1_000_000, account_id=account_id)
    return shop


def agrees(shop: Shop, figures: Figures) -> None:
    document = requests.get(f"{shop.base_url}/api/schema/?format=json", timeout=60).json()
    all_of_them = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    sys.stdout.write(report(figures))  # shown with -s
    assert (figures.findings, figures.errors) == ({}, []), report(figures)
    assert [status for status in figures.statuses if status >= 500] == []
    assert all_of_them - OF_NOBODY == set(figures.operations) - OF_NOBODY
    assert figures.statuses[401] < figures.cases / 4  # it spoke as somebody
    assert figures.by_class["2xx"] > figures.cases / 20


def test_with_an_api_key(shop: Shop) -> None:
    agrees(shop, fuzz(shop.base_url, api_key=shop.api_key, examples=EXAMPLES, phases=PHASES))


def test_with_an_access_token(shop: Shop) -> None:
    merchant_user_create(
        merchant_id=shop.merchant.pk,
        username="nurul",
        password="a horse of another colour",  # of this test
        live=False,
        scopes=[scope.value for scope in Scope],
        actor=Actor("operator:aisha"),
        now=timezone.now(),
    )
    signed_in = {"username": "nurul", "password": "a horse of another colour"}
    token = requests.post(f"{shop.base_url}/api/v1/auth/login", json=signed_in, timeout=60).json()["access_token"]

    agrees(shop, fuzz(shop.base_url, token=token, examples=EXAMPLES, phases=PHASES))
