"""Loading the demo: operators, merchants, keys, provider accounts, webhook endpoints, and `demo.json` with what scripts need.

Every piece is looked up before it is made, so that loading goes on where it died. A secret that only demo.json would have said is opened
where it is sealed, or (a password) made anew.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from common.changes import Actor
from common.data_dir import running_urls
from common.ids import new_id
from demo.agreements import agree
from demo.cast import CAST, OPERATORS, Role
from demo.onboarding import open_accounts, open_bank, open_fpx, open_migs
from demo.payouts import open_payout_bank
from merchants.models import Merchant, MerchantUser
from merchants.scopes import Scope
from merchants.services.api_keys import api_key_create
from merchants.services.users import merchant_user_create, merchant_user_reset
from notifications.models import WebhookEndpoint
from notifications.services.endpoints import endpoint_create
from payments.services.banks import banks_refresh

ACTOR = Actor("system:demo")
WEBHOOK_PORT = 8200


def demo_file() -> Path:
    return Path(settings.DATA_DIR) / "demo.json"


def load_demo() -> dict[str, Any]:
    """Load what is not there yet and (re)write demo.json. Returns its content."""
    known: dict[str, Any] = json.loads(demo_file().read_text()) if demo_file().exists() else {}
    urls = {**os.environ, **running_urls(Path(settings.DATA_DIR))}
    operators: list[dict[str, str]] = known.get("operators") or []
    operators += [
        _operator(username, role)
        for username, role in OPERATORS.items()
        if role not in {operator["role"] for operator in operators}  # of a demo that is older than the role
    ]
    merchants = known.get("merchants") or [_merchant(role) for role in CAST]
    for entry in merchants:
        if "username" not in entry:  # a demo that was loaded before merchants had users
            entry |= _user(Merchant.objects.get(code=entry["merchant_code"]))
    merchants[0]["accounts"] = open_accounts(merchants[0]["merchant_code"])
    agree()
    open_bank(sandbox_url=settings.SANDBOX_URL)
    open_payout_bank(sandbox_url=settings.SANDBOX_URL)
    banks_refresh(now=timezone.now())
    demo = {
        "base_url": settings.PUBLIC_BASE_URL,
        "sandbox_url": settings.SANDBOX_URL,
        # The owner's, so that whoever inspects the demo can also try what the application's own role may not.
        "database_url": urls.get("DATABASE_OWNER_URL") or urls.get("DATABASE_URL", ""),
        "redis_url": settings.REDIS_URL,
        "operators": operators,
        "merchants": merchants,
        "staff": [],
        "bills": {"contracts": [], "policies": []},
    }
    _write(demo)
    return demo


def _write(demo: dict[str, Any]) -> None:
    """Whole or not at all, and for nobody else to read."""
    draft = demo_file().with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(demo, file, indent=1)
    draft.replace(demo_file())


def _operator(username: str, role: str) -> dict[str, str]:
    password = secrets.token_urlsafe(12)
    superuser = role == "superuser"
    user, _ = User.objects.update_or_create(
        username=username,
        defaults={"email": f"{username}@counterfoil.example", "is_staff": True, "is_superuser": superuser},
    )
    user.set_password(password)
    user.save()
    user.groups.set([] if superuser else [Group.objects.get(name=role)])
    return {"username": username, "password": password, "role": role}


def _merchant(role: Role) -> dict[str, Any]:
    merchant, _ = Merchant.objects.get_or_create(
        code=role.code,
        defaults={
            "id": new_id("mer"),
            "name": role.name,
            "contact_email": f"owner@{role.code.lower()}.example",
            "currency": "MYR",
            "checksum_scheme": role.scheme,
            "extra_fields": list(role.extra_fields),
            "rate_plan": role.plan,
            "created_at": timezone.now(),
        },
    )
    places = {"sandbox_url": settings.SANDBOX_URL, "base_url": settings.PUBLIC_BASE_URL}
    open_fpx(merchant, **places)
    open_migs(merchant, **places, mode="purchase")
    open_migs(merchant, **places, mode="authorise")
    if not merchant.eps_api_key_sealed:
        _give_secrets(merchant)
    return {
        "merchant_code": role.code,
        "currency": "MYR",
        "checksum_scheme": str(role.scheme),
        "extra_fields": role.extra_fields,
        "api_key": merchant.eps_api_key,
        "pass_phrase": merchant.pass_phrase,
        **_user(merchant),
        "webhook_secret": _webhook_secret(merchant),
        "accounts": {},
    }


def _give_secrets(merchant: Merchant) -> None:
    """Its API key, which EPS uses too, and its pass phrase: both or neither."""
    with transaction.atomic():
        _, api_key = api_key_create(
            merchant_id=merchant.pk,
            live=False,
            name="Demo server",
            scopes=list(Scope),
            actor=ACTOR,
            now=timezone.now(),
        )
        merchant.seal_secrets(eps_api_key=api_key, pass_phrase=secrets.token_urlsafe(18))
        merchant.save(update_fields=["eps_api_key_sealed", "pass_phrase_sealed"])


def _webhook_secret(merchant: Merchant) -> str:
    url = f"http://127.0.0.1:{WEBHOOK_PORT}/webhooks/{merchant.code.lower()}"
    if (endpoint := WebhookEndpoint.objects.filter(merchant=merchant, live=False, url=url).first()) is not None:
        return endpoint.current_secret
    _, secret = endpoint_create(
        merchant_id=merchant.pk, live=False, url=url, actor=ACTOR, now=timezone.now(), description="Demo shop"
    )
    return secret


def _user(merchant: Merchant) -> dict[str, str]:
    """Somebody of the merchant who signs in with a password, which is a new one each time."""
    username, password = merchant.code.lower(), secrets.token_urlsafe(12)
    said: dict[str, Any] = {"password": password, "actor": ACTOR, "now": timezone.now()}
    if (user := MerchantUser.objects.filter(merchant=merchant, username=username).first()) is not None:
        merchant_user_reset(user_id=user.pk, **said)
    else:
        merchant_user_create(merchant_id=merchant.pk, username=username, live=False, scopes=list(Scope), **said)
    return {"username": username, "password": password}
