"""What was agreed with the demo's merchants: how they are settled, where they are paid, and one who has a price of its own."""

from __future__ import annotations

from datetime import time

from django.utils import timezone

from demo.cast import CAST
from demo.people import by_two
from merchants.models import Merchant
from payments.ledger.fees import Tier
from payments.models import FeePlan
from payments.services.fee_plans import fee_plan_propose
from reconciliation.models import PayTo, SettlementTerms
from reconciliation.services.terms import NewTerms, terms_propose
from reconciliation.settlement.calendar import Cycle


def agree() -> None:
    """Terms and prices in test mode and MYR unless they are there: the clerk proposes them, the lead agrees."""
    for number, role in enumerate(CAST):
        merchant = Merchant.objects.get(code=role.code)
        key = {"merchant_id": merchant.pk, "live": False, "currency": "MYR"}
        if not SettlementTerms.objects.filter(**key).exists():
            by_two(terms_propose, **key, new=_terms(number, role.name), reason="As agreed")
    priced = Merchant.objects.get(code=CAST[2].code)
    if not FeePlan.objects.filter(merchant=priced).exists():
        by_two(
            fee_plan_propose,
            merchant_id=priced.pk,
            live=False,
            method="migs",
            currency="MYR",
            tiers=[Tier(0, 190, 30), Tier(50_000, 150, 0)],
            minimum_minor=60,
            maximum_minor=1_000,
            reason="Campaign for hotels",
        )


def _terms(number: int, name: str) -> NewTerms:
    """The first is settled daily, the second with a reserve, the third on the day of the week that it is, the last with a minimum."""
    bank = {
        "name": name,
        "account": f"51401{number}223344",
        "bic": "MBBEMYKL",
        "bank": "Sandbox Bank",
        "country": "MY",
    }
    match number:
        case 1:
            return NewTerms(reserve_basis_points=500, reserve_days=90, pay_to=PayTo.BANK, bank=bank)
        case 2:
            weekday = timezone.localdate().isoweekday()  # so that the played day closes its week
            return NewTerms(cycle=Cycle.WEEKLY, weekday=weekday, pay_after_days=2, pay_to=PayTo.BANK, bank=bank)
        case 3:
            return NewTerms(cut_off=time(23, 30), pay_to=PayTo.BANK, bank=bank)
        case 4:
            return NewTerms(minimum_payout_minor=500_000, pay_to=PayTo.BANK, bank=bank)
    return NewTerms(pay_to=PayTo.BANK, bank=bank)
