"""Fee plans: what a merchant pays us, changed by a new version with a reason, never by an edit; it holds for later captures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest
from common.ids import new_id
from merchants.models import Merchant, ProviderAccount
from payments.ledger.fees import Price, Tier, flat_price, price_of_plan
from payments.models import FeePlan

# For a statement with the payment as `p`: the plan that holds for its method, as a mapping for `price_of`, or NULL.
# Parameters: merchant, live, currency, now.
PLAN_AT = """
    (SELECT json_build_object('id', f.id, 'tiers', f.tiers, 'minimum_minor', f.minimum_minor, 'maximum_minor', f.maximum_minor)
     FROM fee_plan f
     WHERE f.merchant_id = %s AND f.live = %s AND f.currency = %s AND f.method IN (p.method, '') AND f.valid_from <= %s
     ORDER BY f.method DESC, f.valid_from DESC, f.version DESC LIMIT 1)"""


def price_of(plan: Mapping[str, Any] | None, account: ProviderAccount) -> Price:
    """The price by the plan that `plan_at` found, else the account's."""
    by_plan = price_of_plan(plan) if plan else None
    return by_plan or flat_price(account.fee_basis_points, account.fee_fixed_minor)


def fee_plan_set(
    *,
    merchant_id: str,
    live: bool,
    method: str,
    currency: str,
    tiers: Sequence[Tier],
    actor: Actor,
    reason: str,
    now: datetime,
    minimum_minor: int = 0,
    maximum_minor: int | None = None,
    valid_from: datetime | None = None,
) -> FeePlan:
    """Set the merchant's price from `valid_from` (now) on; no tiers: the provider account's price again. Raises InvalidRequest."""
    if errors := _wrong(tiers, minimum_minor, maximum_minor):
        raise InvalidRequest(" ".join(errors))
    if valid_from is not None and valid_from < now:
        raise InvalidRequest("A price holds for later captures only: it cannot begin in the past.")
    with database.atomic():
        Merchant.objects.select_for_update(no_key=True).get(pk=merchant_id)  # versions are counted one at a time
        earlier = FeePlan.objects.filter(merchant=merchant_id, live=live, method=method, currency=currency)
        last = earlier.order_by("-version").first()
        plan = FeePlan.objects.create(
            id=new_id("fpl"),
            merchant_id=merchant_id,
            live=live,
            method=method,
            currency=currency,
            version=last.version + 1 if last else 1,
            valid_from=valid_from or now,
            tiers=[asdict(tier) for tier in tiers],
            minimum_minor=minimum_minor,
            maximum_minor=maximum_minor,
            reason=reason,
            created_by=actor.name,
            created_at=now,
        )
        record_action(
            actor=actor,
            action="fee_plan.set",
            subject_type="fee_plan",
            subject_id=plan.pk,
            merchant_id=merchant_id,
            reason=reason,
            changes={
                "tiers": [last.tiers if last else None, plan.tiers],
                "minimum_minor": [last.minimum_minor if last else None, minimum_minor],
                "maximum_minor": [last.maximum_minor if last else None, maximum_minor],
                "valid_from": [last.valid_from.isoformat() if last else None, plan.valid_from.isoformat()],
            },
            now=now,
        )
    return plan


def _wrong(tiers: Sequence[Tier], minimum_minor: int, maximum_minor: int | None) -> list[str]:
    errors = []
    begins = [tier.from_minor for tier in tiers]
    if begins and (begins[0] != 0 or begins != sorted(set(begins))):
        errors.append("Tiers begin at 0, and each later one at a higher amount.")
    if any(not 0 <= tier.basis_points <= 10_000 or tier.fixed_minor < 0 for tier in tiers):
        errors.append("A percentage is from 0 to 100 %, a fixed sum not negative.")
    if minimum_minor < 0 or (maximum_minor is not None and maximum_minor < minimum_minor):
        errors.append("The minimum is not negative and not above the maximum.")
    return errors
