"""What an operator fills in for a merchant's key or user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.console.actions import ReasonForm
from merchants.models import ApiKey, Merchant, MerchantUser
from merchants.scopes import Scope
from merchants.services.api_keys import LIFETIME, OVERLAP

_MODES = [("", "Choose"), ("test", "Test"), ("live", "Live")]
_SCOPES = [(scope.value, scope.value) for scope in Scope]
_FROM = "One address or network (203.0.113.0/24) a line. Empty: from everywhere."


class _Reasoned(forms.Form):
    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept in the audit log with your name.",
    )


class _OfMerchant(_Reasoned):
    """Whose it is, in which mode, and what it may."""

    merchant = forms.ModelChoiceField(
        Merchant.objects.filter(is_active=True).order_by("code"), widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(choices=_MODES, widget=UnfoldAdminSelectWidget)
    scopes = forms.MultipleChoiceField(choices=_SCOPES, widget=UnfoldAdminCheckboxSelectMultipleWidget, label="May")

    def wanted(self) -> dict[str, Any]:
        """The arguments that the services of keys and of users share."""
        return {
            "merchant_id": self.cleaned_data["merchant"].pk,
            "live": self.cleaned_data["mode"] == "live",
            "scopes": self.cleaned_data["scopes"],
            "reason": self.cleaned_data["reason"],
        }


class NewKeyForm(_OfMerchant):
    name = forms.CharField(
        max_length=80, widget=UnfoldAdminTextInputWidget, help_text="Where it is used: server, till 3"
    )
    days = forms.IntegerField(
        min_value=1, max_value=366, initial=LIFETIME.days, widget=UnfoldAdminIntegerFieldWidget, label="Works for days"
    )
    networks = forms.CharField(
        required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), label="Allowed addresses", help_text=_FROM
    )
    field_order = ("merchant", "mode", "name", "scopes", "days", "networks", "reason")

    def wanted(self) -> dict[str, Any]:
        return super().wanted() | {
            "name": self.cleaned_data["name"],
            "lifetime": timedelta(days=self.cleaned_data["days"]),
            "allowed_networks": self.cleaned_data["networks"].split(),
        }


class RotateKeyForm(_Reasoned):
    days = forms.IntegerField(
        min_value=0,
        max_value=30,
        initial=OVERLAP.days,
        widget=UnfoldAdminIntegerFieldWidget,
        label="The old key works for days",
        help_text="0: from now on only the new one.",
    )
    field_order = ("days", "reason")

    @property
    def overlap(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"])


class NetworksForm(ReasonForm):
    """The present addresses, to change."""

    networks = forms.CharField(
        required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), label="Allowed addresses", help_text=_FROM
    )
    field_order = ("networks", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = ApiKey.objects.filter(pk=unquote(self.object_id)).first()
        self.fields["networks"].initial = "\n".join(key.allowed_networks if key else ())

    @property
    def asked(self) -> list[str]:
        return str(self.cleaned_data["networks"]).split()


class NewUserForm(_OfMerchant):
    username = forms.CharField(max_length=80, widget=UnfoldAdminTextInputWidget, label="User name")
    field_order = ("merchant", "mode", "username", "scopes", "reason")


class ResetForm(_Reasoned):
    """Only the reason: the password is made here."""


class SwitchForm(ReasonForm):
    """What the dialog was opened for: whoever else acted meanwhile is not turned around again."""

    to = forms.ChoiceField(choices=[("on", "Active"), ("off", "Not active")], widget=UnfoldAdminSelectWidget)
    field_order = ("to", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = MerchantUser.objects.filter(pk=unquote(self.object_id)).first()
        self.fields["to"].initial = "off" if user is not None and user.is_active else "on"

    @property
    def active(self) -> bool:
        return bool(self.cleaned_data["to"] == "on")
