"""What an operator fills in when working on breaks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Permission, User
from django.db.models import Q
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
)

from common.console.actions import ReasonForm
from payments.models.ledger import AccountKind
from reconciliation.services.claims import COUNTER_ACCOUNTS

COUNTERS = [(str(kind), AccountKind(kind).label) for kind in COUNTER_ACCOUNTS]
_SUSPENSE = (str(AccountKind.SUSPENSE), "Suspense: came to our bank for an account that is not ours, or is paid back")


def people() -> Any:
    """Who works on breaks."""
    codename = {"codename": "work_break", "content_type__app_label": "reconciliation"}
    holders = Permission.objects.filter(**codename)
    return User.objects.filter(
        Q(is_superuser=True) | Q(groups__permissions__in=holders) | Q(user_permissions__in=holders),
        is_active=True,
        is_staff=True,
    ).distinct().order_by("username")  # fmt: skip


class AssignForm(BaseDialogForm):
    owner = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Nobody", widget=UnfoldAdminSelectWidget, label="To"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = people()


class CommentForm(BaseDialogForm):
    comment = forms.CharField(max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}))


class DueForm(ReasonForm):
    due_on = forms.DateField(
        widget=UnfoldAdminSingleDateWidget, label="Due", required=False, help_text="Empty: no due date."
    )
    field_order = ("due_on", "reason")


class AdjustForm(ReasonForm):
    counter = forms.ChoiceField(choices=[*COUNTERS, _SUSPENSE], widget=UnfoldAdminSelectWidget, label="Book against")
    field_order = ("counter", "reason")


class BulkForm(forms.Form):
    """One act on all that were chosen."""

    ACTS = (
        ("", "Choose"),
        ("assign", "Assign"),
        ("due", "Set the due date"),
        ("comment", "Comment"),
        ("match", "Propose to match both items of each"),
        ("adjust", "Propose to adjust each by journal"),
        ("write_off", "Propose to write off each"),
    )
    act = forms.ChoiceField(choices=ACTS, widget=UnfoldAdminSelectWidget, label="What")
    owner = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        empty_label="Nobody",
        widget=UnfoldAdminSelectWidget,
        label="Assign to",
        help_text="For: assign.",
    )
    due_on = forms.DateField(
        widget=UnfoldAdminSingleDateWidget, label="Due", required=False, help_text="For: set the due date. Empty: none."
    )
    counter = forms.ChoiceField(
        choices=COUNTERS,
        required=False,
        widget=UnfoldAdminSelectWidget,
        label="Adjust against",
        help_text="For: adjust by journal.",
    )
    text = forms.CharField(
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        label="Comment or reason",
        help_text="A proposal needs a reason.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = people()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (
            cleaned.get("act") in ("comment", "match", "adjust", "write_off")
            and not (cleaned.get("text") or "").strip()
        ):
            self.add_error("text", "Say why.")
        return cleaned


class MatchForm(forms.Form):
    """What takes the difference, and why; the items are checkboxes of the page."""

    counter = forms.ChoiceField(choices=COUNTERS, widget=UnfoldAdminSelectWidget, label="Book a difference against")
    reason = forms.CharField(max_length=255, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


class FileForm(forms.Form):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".xlsx"}),
        help_text="The exported file, with owner, due date, comment, resolution or reason filled in.",
    )
