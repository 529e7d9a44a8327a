"""Who sees what, as a table: role by list."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal

from merchants.roles import ROLES, sync_roles
from tests.console.conftest import SignIn

SEES = {  # list: the roles that may open it
    "payments/transaction": {"operations", "refunds", "finance", "finance_lead", "support", "auditor", "superuser"},
    "payments/reviewitem": {"operations", "refunds", "finance", "finance_lead", "support", "auditor", "superuser"},
    "payments/providerevent": {"operations", "refunds", "auditor", "superuser"},
    "payments/feeplan": {"operations", "refunds", "finance", "finance_lead", "auditor", "superuser"},
    "payments/posting": {"operations", "refunds", "finance", "finance_lead", "auditor", "superuser"},
    "reconciliation/break": {"operations", "refunds", "finance", "finance_lead", "auditor", "superuser"},
    "notifications/webhookdelivery": {"operations", "refunds", "support", "onboarding", "auditor", "superuser"},
    "merchants/merchant": {
        "operations",
        "refunds",
        "finance",
        "finance_lead",
        "support",
        "onboarding",
        "auditor",
        "superuser",
    },
    "merchants/apikey": {"operations", "refunds", "onboarding", "auditor", "superuser"},
    "merchants/merchantuser": {"operations", "refunds", "onboarding", "auditor", "superuser"},
    "payments/transferrun": {"operations", "refunds", "finance", "finance_lead", "support", "auditor", "superuser"},
    "merchants/provideraccount": {"operations", "refunds", "onboarding", "auditor", "superuser"},
    "common/fact": {"operations", "refunds", "auditor", "superuser"},
    "common/auditrecord": {"auditor", "superuser"},
    "auth/user": {"auditor", "superuser"},
}


@pytest.mark.parametrize("role", [*ROLES, "superuser", "none"])
def test_a_role_opens_its_lists_and_no_others(role: str, sign_in: SignIn) -> None:
    client = sign_in(role)

    opened = {path for path in SEES if client.get(f"/admin/{path}/").status_code == 200}
    refused = {path for path in SEES if client.get(f"/admin/{path}/").status_code == 403}

    assert opened == {path for path, roles in SEES.items() if role in roles}
    assert opened | refused == set(SEES)


def test_only_a_superuser_changes_merchants_and_people(sign_in: SignIn) -> None:
    for role in ROLES:
        client = sign_in(role)
        assert client.get("/admin/merchants/merchant/add/").status_code == 403
        assert client.get("/admin/auth/user/add/").status_code == 403
    assert sign_in("superuser").get("/admin/merchants/merchant/add/").status_code == 200


def test_roles_are_made_what_the_table_says(db: None) -> None:
    support = Group.objects.get(name="support")
    support.permissions.set(Group.objects.get(name="auditor").permissions.all())

    sync_roles()

    held = {f"{p.content_type.app_label}.{p.codename}" for p in support.permissions.select_related("content_type")}
    assert "common.view_auditrecord" not in held
    assert "payments.view_transaction" in held
    assert {name for name in held if not name.partition(".")[2].startswith("view_")} == set()


def test_every_migrate_makes_the_roles(db: None) -> None:
    Group.objects.all().delete()
    Permission.objects.filter(codename="replay_webhookdelivery").delete()  # as before a release that has a new act
    Group.objects.create(name="an installation's own")
    ContentType.objects.clear_cache()

    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")

    assert set(Group.objects.values_list("name", flat=True)) == {*ROLES, "an installation's own"}
    for role, act in (("operations", "replay_webhookdelivery"), ("auditor", "view_webhookdelivery")):
        assert Group.objects.get(name=role).permissions.filter(codename=act).exists()
    assert not Group.objects.get(name="support").permissions.filter(codename="replay_webhookdelivery").exists()


def test_acts_belong_to_their_roles_alone(db: None) -> None:
    holders = {
        act: set(Group.objects.filter(permissions__codename=act).values_list("name", flat=True))
        for act in (
            "refund_transaction",
            "look_up_operation",
            "replay_webhookdelivery",
            "switch_webhookendpoint",
            "run_transfers",
            "manage_apikey",
            "manage_merchantuser",
        )
    }

    assert holders == {
        "refund_transaction": {"refunds"},
        "look_up_operation": {"operations", "refunds", "finance", "finance_lead"},
        "replay_webhookdelivery": {"operations", "refunds", "onboarding"},
        "switch_webhookendpoint": {"operations", "refunds", "onboarding"},
        "run_transfers": {"operations", "refunds"},
        "manage_apikey": {"onboarding"},
        "manage_merchantuser": {"onboarding"},
    }
