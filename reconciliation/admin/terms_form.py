"""What an operator fills in for a merchant's terms of settlement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from common.fields import validate_currency
from common.money import InvalidAmount, Money
from merchants.models import Merchant
from reconciliation.models import BankCalendar, PayTo
from reconciliation.services.terms import NewTerms
from reconciliation.settlement.calendar import Cycle

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GROUPS = (
    ("Whose", ("merchant", "mode", "currency")),
    ("When", ("cycle", "cut_off", "pay_after_days", "calendar", "only_proven")),
    ("Reserve and minimum", ("reserve", "reserve_days", "minimum_payout")),
    ("Where to", ("pay_to", "account", "holder", "number", "bic", "bank", "country")),
    ("Why", ("reason",)),
)


def _text(label: str, *, required: bool = False, help_text: str = "", **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=required, help_text=help_text, widget=UnfoldAdminTextInputWidget(), **options
    )


class TermsForm(forms.Form):
    """Amounts in the currency of the terms; the bank account is sealed and never shown again whole."""

    merchant = forms.ModelChoiceField(
        Merchant.objects.filter(is_active=True).order_by("code"), widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(
        choices=[("", "Choose"), ("test", "Test"), ("live", "Live")], widget=UnfoldAdminSelectWidget
    )
    currency = _text("Currency", required=True, max_length=3, validators=[validate_currency])
    cycle = forms.ChoiceField(
        choices=[
            ("DAILY", "Every day"),
            *((f"WEEKLY {n}", f"Every {day}") for n, day in enumerate(DAYS, start=1)),
            ("MONTHLY", "On the last day of the month"),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    cut_off = forms.TimeField(
        initial="00:00",
        widget=UnfoldAdminTextInputWidget(),
        help_text="In the merchant's time zone. 00:00 is the midnight that ends the day.",
    )
    pay_after_days = forms.IntegerField(
        initial=1,
        min_value=0,
        max_value=60,
        label="Paid after",
        widget=UnfoldAdminTextInputWidget(),
        help_text="T + n: business days after the closing day.",
    )
    calendar = forms.ModelChoiceField(
        BankCalendar.objects.all(),
        required=False,
        empty_label="Saturdays and Sundays only",
        label="Bank holidays of",
        widget=UnfoldAdminSelectWidget,
        help_text="Its days are no business days.",
    )
    reserve = forms.DecimalField(
        initial=0,
        min_value=0,
        max_value=100,
        decimal_places=2,
        label="Reserve in %",
        widget=UnfoldAdminTextInputWidget(),
        help_text="Held back of what was paid less what was given back.",
    )
    reserve_days = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=730,
        label="Held for days",
        help_text="Then it is released with the next settlement.",
        widget=UnfoldAdminTextInputWidget(),
    )
    minimum_payout = _text("Minimum payout", help_text="Less is carried over to the next settlement.")
    only_proven = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        label="Only what is proven",
        help_text="A payment is settled when the provider's statement has proven it, not before.",
    )
    pay_to = forms.ChoiceField(choices=PayTo.choices, label="Paid to", widget=UnfoldAdminSelectWidget)
    account = _text("Account with us", help_text="Its id, if the money stays with us: acc_...")
    holder = _text("Bank account: holder", max_length=70)
    number = _text("Bank account: IBAN or number", max_length=34)
    bic = _text("Bank account: BIC", max_length=11)
    bank = _text("Bank account: bank", max_length=40)
    country = _text("Bank account: country", max_length=2)
    reason = forms.CharField(
        max_length=255, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept in the audit log."
    )

    def groups(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The fields by what they are about."""
        for title, names in _GROUPS:
            yield title, [self[name] for name in names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        text = cleaned.get("minimum_payout")
        if text and cleaned.get("currency"):
            try:
                cleaned["minimum_payout"] = Money.parse(text, cleaned["currency"]).minor
            except InvalidAmount:
                self.add_error("minimum_payout", f"{text} is not an amount in {cleaned['currency']}.")
        return cleaned

    @property
    def live(self) -> bool:
        return bool(self.cleaned_data["mode"] == "live")

    @property
    def new(self) -> NewTerms:
        cleaned = self.cleaned_data
        cycle, _, weekday = cleaned["cycle"].partition(" ")
        to_bank = cleaned["pay_to"] == PayTo.BANK
        bank = {
            "name": cleaned["holder"],
            "account": cleaned["number"].replace(" ", "").upper(),
            "bic": cleaned["bic"].upper(),
            "bank": cleaned["bank"],
            "country": cleaned["country"].upper(),
        }
        return NewTerms(
            cycle=Cycle(cycle),
            weekday=int(weekday) if weekday else None,
            cut_off=cleaned["cut_off"],
            pay_after_days=cleaned["pay_after_days"],
            calendar_id=cleaned["calendar"].pk if cleaned["calendar"] else None,
            reserve_basis_points=int(cleaned["reserve"] * 100),
            reserve_days=cleaned["reserve_days"],
            minimum_payout_minor=cleaned["minimum_payout"] or 0,
            only_proven=cleaned["only_proven"],
            pay_to=PayTo(cleaned["pay_to"]),
            account_id=cleaned["account"] or None,
            bank=bank if to_bank else None,
        )
