"""Roles of the console's operators, as data: who may see and do what. Every `migrate` makes the groups match, as does `manage.py sync_roles`.

Permissions are patterns of "app.codename". Those of `ACTS` are made here because they belong to acts, not to a form of a model; a role
that is not listed is left alone, so an installation may add its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from common.database import is_as_here

Held = Group.permissions.through

ACTS = {  # permission -> (model it belongs to, what it allows)
    "payments.refund_transaction": ("transaction", "Can refund a transaction"),
    "payments.propose_refundbatch": ("refundbatch", "Can prepare and propose a batch of refunds"),
    "payments.approve_refundbatch": ("refundbatch", "Can approve a batch of refunds as the second person"),
    "payments.propose_review_decision": ("reviewitem", "Can propose how an open question is closed"),
    "payments.approve_review_decision": ("reviewitem", "Can approve how an open question is closed"),
    "reconciliation.propose_settlementterms": (
        "settlementterms",
        "Can propose how a merchant is settled and where it is paid",
    ),
    "reconciliation.approve_settlementterms": (
        "settlementterms",
        "Can agree on a merchant's terms as the second person",
    ),
    "payments.propose_feeplan": ("feeplan", "Can propose what a merchant pays"),
    "payments.approve_feeplan": ("feeplan", "Can agree on what a merchant pays as the second person"),
    "reconciliation.propose_source": (
        "source",
        "Can propose what is agreed with a source: prices, tolerances, due dates",
    ),
    "reconciliation.approve_source": ("source", "Can agree on that as the second person"),
    "reconciliation.propose_bankaccount": (
        "bankaccount",
        "Can propose accounts of ours, those that payouts leave from too",
    ),
    "reconciliation.approve_bankaccount": ("bankaccount", "Can agree on an account of ours as the second person"),
    "payments.look_up_operation": ("operation", "Can ask the provider what became of an operation"),
    "reconciliation.work_break": ("break", "Can take, comment and carry forward breaks"),
    "reconciliation.propose_break": ("break", "Can propose how a break ends"),
    "reconciliation.approve_break": ("break", "Can approve how a break ends"),
    "reconciliation.write_off_any_break": ("break", "Can propose write-offs above the limit"),
    "reconciliation.propose_payout": ("payout", "Can propose payouts, cancel them and hand files to the bank"),
    "reconciliation.approve_payout": ("payout", "Can release payouts as the second person"),
    "reconciliation.release_large_payout": ("payout", "Can release payouts above the limit"),
    "reconciliation.download_payoutfile": ("payoutfile", "Can download payment files, which have bank accounts"),
    "reconciliation.claim_fees": ("feeclaim", "Can claim overcharged fees from a provider"),
    "reconciliation.close_day": (
        "dayclose",
        "Can close a day, and propose to close it with a difference or open it again",
    ),
    "reconciliation.approve_day": ("dayclose", "Can approve closing with a difference and opening again"),
    "reconciliation.propose_ruleset": (
        "ruleset",
        "Can draft and rehearse matching rules, and propose that they go live",
    ),
    "reconciliation.import_statement": ("statement", "Can upload a statement"),
    "reconciliation.fix_quarantinedline": (
        "quarantinedline",
        "Can put unreadable lines right, and propose to discard them",
    ),
    "reconciliation.approve_quarantinedline": ("quarantinedline", "Can approve that an unreadable line is discarded"),
    "reconciliation.map_source": ("source", "Can propose how the columns of a source's files are read"),
    "reconciliation.approve_ruleset": ("ruleset", "Can approve that matching rules go live"),
    "reconciliation.propose_bankcalendar": ("bankcalendar", "Can propose bank holidays"),
    "reconciliation.approve_bankcalendar": ("bankcalendar", "Can agree on bank holidays as the second person"),
    "reconciliation.propose_writeofflimit": ("writeofflimit", "Can propose how much may be written off"),
    "reconciliation.approve_writeofflimit": (
        "writeofflimit",
        "Can agree on how much may be written off as the second person",
    ),
    "notifications.replay_webhookdelivery": ("webhookdelivery", "Can send a webhook again"),
    "notifications.switch_webhookendpoint": ("webhookendpoint", "Can switch a webhook endpoint on and off"),
    "merchants.manage_apikey": ("apikey", "Can make, rotate, limit and revoke API keys of merchants"),
    "merchants.manage_merchantuser": ("merchantuser", "Can make users of merchants and give them new passwords"),
    "payments.run_transfers": ("transferrun", "Can run the batch of waiting transfers now"),
}


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """What a role is for and the patterns of the permissions it has."""

    description: str
    permissions: tuple[str, ...]


_PAYMENTS = (
    "payments.view_transaction",
    "payments.view_payment",
    "payments.view_operation",
    "payments.view_refund",
    "payments.view_refundbatch",
    "payments.view_refundbatchitem",
    "payments.view_account",
    "payments.view_transferrun",
    "payments.view_transferrunitem",
    "payments.view_reviewitem",
    "payments.view_bank",
    "merchants.view_merchant",
)
_WEBHOOKS = ("notifications.view_*",)
_BOOKS = (
    "payments.view_ledgeraccount",
    "payments.view_journalentry",
    "payments.view_posting",
    "payments.view_feeplan",
    "payments.view_feecharge",
    "reconciliation.view_*",
    "common.view_proposal",
)
_OPERATIONS = (
    *_PAYMENTS,
    *_WEBHOOKS,
    *_BOOKS,
    "payments.view_providerevent",
    "merchants.view_*",
    "common.view_fact",
    "payments.look_up_operation",
    "notifications.replay_webhookdelivery",
    "notifications.switch_webhookendpoint",
    "payments.run_transfers",
)
_ONBOARDING = (
    *_WEBHOOKS,
    "merchants.view_*",
    "merchants.manage_*",
    "payments.view_account",
    "notifications.replay_webhookdelivery",
    "notifications.switch_webhookendpoint",
)
_FINANCE = (
    *_PAYMENTS,
    *_BOOKS,
    "payments.look_up_operation",
    "reconciliation.work_break",
    "reconciliation.propose_break",
    "reconciliation.close_day",
    "payments.propose_review_decision",
    "reconciliation.claim_fees",
    "reconciliation.propose_ruleset",
    "reconciliation.propose_payout",
    "reconciliation.propose_settlementterms",
    "reconciliation.propose_source",
    "reconciliation.map_source",
    "reconciliation.propose_bankaccount",
    "reconciliation.propose_bankcalendar",
    "reconciliation.propose_writeofflimit",
    "payments.propose_feeplan",
    "reconciliation.download_payoutfile",
    "reconciliation.import_statement",
    "reconciliation.fix_quarantinedline",
)
_FINANCE_LEAD = (
    *_FINANCE,
    "payments.approve_review_decision",
    "payments.approve_feeplan",
    "payments.approve_refundbatch",
    "reconciliation.approve_*",
    "reconciliation.write_off_any_break",
    "reconciliation.add_source",
    "reconciliation.change_source",
)

ROLES = {
    "operations": RoleSpec("Sees everything but the audit log; looks up and replays.", _OPERATIONS),
    "refunds": RoleSpec(
        "What operations may, and refunds.",
        (*_OPERATIONS, "payments.refund_transaction", "payments.propose_refundbatch"),
    ),
    "finance": RoleSpec("Payments, the books; works on breaks, closes days, proposes.", _FINANCE),
    "finance_lead": RoleSpec("What finance may, and is the second person for it.", _FINANCE_LEAD),
    "support": RoleSpec("Payments and webhooks, to answer merchants and payers.", (*_PAYMENTS, *_WEBHOOKS)),
    "onboarding": RoleSpec("Merchants' keys, users and webhook endpoints; no payments.", _ONBOARDING),
    "auditor": RoleSpec("Sees everything, the audit log too; changes nothing.", ("*.view_*",)),
}


@transaction.atomic
def sync_roles() -> None:
    """Make the groups and their permissions what ROLES says, in a few statements. Needs the models' content types and permissions."""
    types = {(found.app_label, found.model): found for found in ContentType.objects.all()}
    acts = [(*name.split("."), *what) for name, what in ACTS.items()]
    Permission.objects.bulk_create(
        [
            Permission(content_type=types[app, model], codename=codename, name=allows)
            for app, codename, model, allows in acts
            if (app, model) in types
        ],
        update_conflicts=True,
        unique_fields=["content_type", "codename"],
        update_fields=["name"],
    )
    Group.objects.bulk_create([Group(name=role) for role in ROLES], ignore_conflicts=True)
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    wanted = {
        (group, pk)
        for group, role in Group.objects.filter(name__in=ROLES).values_list("pk", "name")
        for name, pk in known.items()
        if any(fnmatchcase(name, pattern) for pattern in ROLES[role].permissions)
    }
    held = {
        (group, permission): pk
        for pk, group, permission in Held.objects.filter(group__name__in=ROLES).values_list(
            "pk", "group_id", "permission_id"
        )
    }
    Held.objects.filter(pk__in=[pk for pair, pk in held.items() if pair not in wanted]).delete()
    Held.objects.bulk_create(
        [Held(group_id=group, permission_id=permission) for group, permission in wanted - held.keys()],
        ignore_conflicts=True,
    )


def sync_roles_at_last(*, sender: AppConfig, **_signal: Any) -> None:
    """After `migrate`: when the last app has its permissions, since a role has some of every app's."""
    with_models = [app for app in apps.get_app_configs() if app.models_module is not None]
    if sender is with_models[-1] and is_as_here(Group) and is_as_here(Permission):
        sync_roles()
