"""Fee plans: what a merchant pays us, changed by a new version that two people agreed on, never by an edit; it holds for later captures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from common.agreed import changes_of, read_row, row_of
from common.approvals import Act, Changed, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest
from common.ids import new_id
from common.models import Proposal
from merchants.models import Merchant, ProviderAccount
from payments.ledger.fees import Price, Tier, flat_price, price_of_plan
from payments.models import FeePlan
from payments.models.fee import FEE_PLAN_AGREED

SET = "fee_plan.set"

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


def fee_plan_propose(
    *,
    merchant_id: str,
    live: bool,
    method: str,
    currency: str,
    tiers: Sequence[Tier],
    by: User,
    actor: Actor,
    reason: str,
    now: datetime,
    minimum_minor: int = 0,
    maximum_minor: int | None = None,
    valid_from: datetime | None = None,
) -> Proposal:
    """Ask a second person to agree on the merchant's price from `valid_from` on (none, or over by then: from the yes on).

    No tiers: the provider account's price again. Raises InvalidRequest, Forbidden, InvalidState (another price for this waits already).
    """
    if errors := _wrong(tiers, minimum_minor, maximum_minor):
        raise InvalidRequest(" ".join(errors))
    if valid_from is not None and valid_from < now:
        raise InvalidRequest("A price holds for later captures only: it cannot begin in the past.")
    last = _last(merchant_id, live, method, currency)
    plan = FeePlan(
        id=new_id("fpl"),
        merchant_id=merchant_id,
        live=live,
        method=method,
        currency=currency,
        version=last.version + 1 if last else 1,
        tiers=[asdict(tier) for tier in tiers],
        minimum_minor=minimum_minor,
        maximum_minor=maximum_minor,
    )
    code = Merchant.objects.get(pk=merchant_id).code
    return propose(
        kind=SET,
        subject_type="fee_plan",
        subject_id=about_price(code, live, currency, method),
        merchant_id=merchant_id,
        summary=f"What {code} pays for {method or 'every payment type'} in {currency} ({'live' if live else 'test'})",
        reason=reason,
        pins=[],
        by=by,
        actor=actor,
        now=now,
        parameters={
            "row": row_of(plan, FEE_PLAN_AGREED),
            "before": row_of(last, FEE_PLAN_AGREED) if last else None,
            "valid_from": valid_from.isoformat() if valid_from else None,
            "asked_by": actor.name,
        },
    )


def about_price(merchant_code: str, live: bool, currency: str, method: str) -> str:
    """What proposals of a price are about: one waits at a time."""
    return f"{merchant_code} {'live' if live else 'test'} {currency} {method}".strip()


def _lock(proposal: Proposal) -> None:
    Merchant.objects.select_for_update(no_key=True).get(pk=proposal.merchant_id)  # versions are counted one at a time


def _agree(proposal: Proposal, actor: Actor, now: datetime) -> None:
    given, row = proposal.parameters, proposal.parameters["row"]
    last = _last(row["merchant_id"], row["live"], row["method"], row["currency"])
    if row["version"] != (last.version + 1 if last else 1):
        raise Changed("The merchant got another price in between. The proposal is void.")
    wanted = datetime.fromisoformat(given["valid_from"]) if given["valid_from"] else now
    plan = FeePlan.objects.create(
        **read_row(FeePlan, row),
        valid_from=max(wanted, now),
        proposal=proposal,
        reason=proposal.reason[:255],
        created_by=given["asked_by"],
        created_at=now,
    )
    price = ("tiers", "minimum_minor", "maximum_minor")
    record_action(
        actor=actor,
        action=SET,
        subject_type="fee_plan",
        subject_id=plan.pk,
        merchant_id=plan.merchant_id,
        reason=plan.reason,
        changes=changes_of(row_of(last, price) if last else None, row_of(plan, price))
        | {"valid_from": [last.valid_from.isoformat() if last else None, plan.valid_from.isoformat()]},
        now=now,
    )


ACT = Act(
    kind=SET,
    title="Agree on what a merchant pays",
    may_propose="payments.propose_feeplan",
    may_approve="payments.approve_feeplan",
    lock=_lock,
    execute=_agree,
)


def _last(merchant_id: str, live: bool, method: str, currency: str) -> FeePlan | None:
    plans = FeePlan.objects.filter(merchant=merchant_id, live=live, method=method, currency=currency)
    return plans.order_by("-version").first()


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
