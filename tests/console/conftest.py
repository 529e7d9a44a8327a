"""Operators of every role, and one row of every model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from merchants.models import ProviderAccount
from merchants.roles import ROLES
from payments.models import Transaction
from tests.console.world import World, build_world
from tests.factories import ProviderAccountFactory, captured_transaction
from tests.support.once import given_once

PASSWORD = "a-long-enough-password"

SignIn = Callable[[str], Client]


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """A browser signed in as an operator of a role; "superuser" and "none" (staff without a role) too."""

    def of_role(role: str) -> Client:
        user, made = User.objects.get_or_create(
            username=f"demo_{role}", defaults={"is_staff": True, "is_superuser": role == "superuser"}
        )
        if made and role in ROLES:
            user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return of_role


@pytest.fixture
def account(db: None) -> ProviderAccount:
    return ProviderAccountFactory(fee_basis_points=150)


@pytest.fixture
def paid(account: ProviderAccount) -> Transaction:
    """100.00 MYR, captured."""
    return captured_transaction(account, external_reference="INV-1", payer_email="nurul@payer.example")


@dataclass(frozen=True)
class Urls:
    """The console's addresses of one transaction."""

    page: str
    refund: str


@pytest.fixture
def urls(paid: Transaction) -> Urls:
    base = f"/admin/payments/transaction/{paid.pk}"
    return Urls(page=f"{base}/change/", refund=f"{base}/refund/")


@pytest.fixture
def world(db: None) -> World:
    return build_world()


@pytest.fixture(scope="module")
def _one_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with given_once(django_db_blocker, build_world) as world:
        yield world


@pytest.fixture
def shared_world(_one_world: World, db: None) -> World:
    """The same, built once for the module: for modules that have no test without it."""
    return deepcopy(_one_world)
