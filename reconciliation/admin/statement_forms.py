"""What a person fills in to bring a statement."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
)

from merchants.models import ProviderAccount
from reconciliation.models import Side, Source
from reconciliation.parsers.bytes import MAX_BYTES

MODES = [("", "Choose"), ("test", "Test"), ("live", "Live")]


class UploadForm(forms.Form):
    """A file, and whose it is. What the file says of itself has to agree."""

    source = forms.ModelChoiceField(Source.objects.filter(is_active=True), widget=UnfoldAdminSelectWidget)
    account = forms.ModelChoiceField(
        ProviderAccount.objects.order_by("provider", "account_key"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Of a provider: whose file it is; empty: of all accounts.",
    )
    mode = forms.ChoiceField(choices=MODES, widget=UnfoldAdminSelectWidget)
    day = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text="The source's day. A bank's camt.053 or MT940 file says it itself.",
    )
    file = forms.FileField(widget=UnfoldAdminFileFieldWidget)

    def clean_file(self) -> Any:
        if self.cleaned_data["file"].size > MAX_BYTES:
            raise ValidationError(f"The file is larger than {MAX_BYTES // 1024**3} GiB.")
        return self.cleaned_data["file"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        source, account = given.get("source"), given.get("account")
        if source is None:
            return given
        if account is not None and account.provider != source.code:
            self.add_error("account", f"This is not an account at {source}.")
        if account is not None and given.get("mode") and (given["mode"] == "live") != account.live:
            self.add_error("mode", "The account is of the other mode.")
        if given.get("day") is None and (source.side == Side.PROVIDER or source.format == "mapped"):
            self.add_error("day", "Of which day is it?")
        return given

    @property
    def live(self) -> bool:
        return bool(self.cleaned_data["mode"] == "live")
