"""What a merchant pays us for a payment. Pure, in integers; the same in SQL, by which `verify_books` charges every fee again.

The tier is the last one that begins at or below the captured amount, and is the price of the whole amount, not of the part above its beginning.
Its percentage is rounded half up to the minor unit; then minimum and maximum apply, and no fee is more than the amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.money import Money


@dataclass(frozen=True, slots=True)
class Tier:
    """The price from an amount on: 150 basis points are 1.5 %."""

    from_minor: int
    basis_points: int
    fixed_minor: int


@dataclass(frozen=True, slots=True)
class Price:
    """The tiers begin at 0 and ascend. `plan_id`: the fee plan it comes from; None is the provider account's own price."""

    tiers: Sequence[Tier]
    minimum_minor: int = 0
    maximum_minor: int | None = None
    plan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee of `amount_minor` by its parts. `limit_minor` is what the minimum added, or (below zero) what the maximum or the amount took away."""

    amount_minor: int
    percentage_minor: int
    fixed_minor: int
    limit_minor: int
    plan_id: str | None = None

    @property
    def minor(self) -> int:
        return self.percentage_minor + self.fixed_minor + self.limit_minor


def flat_price(basis_points: int, fixed_minor: int) -> Price:
    """One price for every amount."""
    return Price((Tier(0, basis_points, fixed_minor),))


def price_of_plan(plan: Mapping[str, Any]) -> Price | None:
    """A fee plan's columns (id, tiers, minimum_minor, maximum_minor) as a price; None where it gives the account's price back."""
    tiers = tuple(Tier(t["from_minor"], t["basis_points"], t["fixed_minor"]) for t in plan["tiers"])
    return Price(tiers, plan["minimum_minor"], plan["maximum_minor"], plan["id"]) if tiers else None


def fee_of(amount: Money, price: Price) -> Fee:
    """The fee of one capture of `amount`."""
    tier = [tier for tier in price.tiers if tier.from_minor <= amount.minor][-1]
    share = (amount.minor * tier.basis_points * 2 + 10_000) // 20_000
    plain = share + tier.fixed_minor
    bounded = max(plain, price.minimum_minor)
    if price.maximum_minor is not None:
        bounded = min(bounded, price.maximum_minor)
    return Fee(amount.minor, share, tier.fixed_minor, min(bounded, amount.minor) - plain, price.plan_id)


# The same for a row with `amount_minor`, of plan `f`: percentage, fixed, limit.
FEE_IN_SQL = """
    SELECT share AS percentage_minor, fixed AS fixed_minor,
           least(greatest(share + fixed, f.minimum_minor), f.maximum_minor, c.amount_minor) - share - fixed AS limit_minor
    FROM (
        SELECT round(c.amount_minor * (t ->> 'basis_points')::numeric / 10000)::bigint AS share, (t ->> 'fixed_minor')::bigint AS fixed
        FROM jsonb_array_elements(f.tiers) t WHERE (t ->> 'from_minor')::bigint <= c.amount_minor
        ORDER BY (t ->> 'from_minor')::bigint DESC LIMIT 1
    ) tier
"""
