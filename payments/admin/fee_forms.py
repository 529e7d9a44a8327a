"""What an operator fills in for a merchant's price, and the calculator beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.fields import validate_currency
from common.money import InvalidAmount, Money
from merchants.models import Merchant
from payments.admin.filters import METHODS
from payments.admin.refund_batch_forms import MODES
from payments.ledger.fees import Fee, Price, Tier, fee_of

_PERCENT = re.compile(r"(100|[0-9]{1,2})(?:\.([0-9]{1,2}))?%")
_EXAMPLES = (1_000, 10_000, 50_000, 100_000, 1_000_000)


class FeePlanForm(forms.Form):
    """Amounts are written in the plan's currency. Without tiers, the provider account's own price holds again."""

    merchant = forms.ModelChoiceField(
        Merchant.objects.filter(is_active=True).order_by("code"), widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(choices=MODES, widget=UnfoldAdminSelectWidget)
    method = forms.ChoiceField(
        choices=[("", "All that have no price of their own"), *((method, method) for method in METHODS)],
        required=False,
        label="Payment type",
        widget=UnfoldAdminSelectWidget,
    )
    currency = forms.CharField(max_length=3, validators=[validate_currency], widget=UnfoldAdminTextInputWidget)
    tiers = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "0  1.5%  0.20\n1000.00  1%  0"}),
        help_text="A line for each tier: from which amount, percentage, fixed sum. The tier of the amount is the price of all of it.",
    )
    minimum = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
    maximum = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
    valid_from = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text="From the beginning of this day on, your time. Empty: from now on. What was captured before keeps its fee.",
    )
    reason = forms.CharField(
        max_length=255, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept in the audit log."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        currency = cleaned.get("currency")
        if not currency:
            return cleaned
        for name in ("minimum", "maximum"):
            if cleaned.get(name):
                cleaned[name] = self._amount(name, cleaned[name], currency)
        cleaned["tiers"] = list(self._tiers(cleaned.get("tiers", ""), currency))
        return cleaned

    def clean_valid_from(self) -> datetime | None:
        day = self.cleaned_data["valid_from"]
        return timezone.make_aware(datetime.combine(day, time.min)) if day else None

    def _amount(self, name: str, text: str, currency: str) -> int:
        try:
            return Money.parse(text, currency).minor
        except InvalidAmount:
            self.add_error(name, f"{text} is not an amount in {currency}.")
            return 0

    def _tiers(self, text: str, currency: str) -> Iterator[Tier]:
        for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
            parts = line.split()
            percent = _PERCENT.fullmatch(parts[1]) if len(parts) == 3 else None
            if percent is None:
                self.add_error("tiers", f"Line {number}: write an amount, a percentage and a fixed sum: 0  1.5%  0.20")
                continue
            points = int(percent[1]) * 100 + int((percent[2] or "").ljust(2, "0"))
            begins, fixed = (self._amount("tiers", part, currency) for part in (parts[0], parts[2]))
            yield Tier(begins, points, fixed)

    @property
    def live(self) -> bool:
        return bool(self.cleaned_data["mode"] == "live")

    def examples(self) -> list[tuple[Money, Fee]]:
        """What payments of some amounts would cost; none if the price is not right or is the account's."""
        cleaned = self.cleaned_data
        tiers = cleaned.get("tiers") or []
        if self.errors.keys() & {"tiers", "minimum", "maximum", "currency"} or not tiers or tiers[0].from_minor:
            return []
        price = Price(tiers, cleaned["minimum"] or 0, cleaned["maximum"] or None)
        begins = [tier.from_minor - step for tier in tiers for step in (1, 0) if tier.from_minor]
        amounts = sorted({*_EXAMPLES, *begins})
        return [(amount, fee_of(amount, price)) for minor in amounts if (amount := Money(minor, cleaned["currency"]))]
