"""What every act of an operator has: a dialog with a reason, and an answer for the browser (with or without HTMX)."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(BaseDialogForm):
    """Why. The reason is kept in the audit log."""

    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept in the audit log with your name.",
    )


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page, which shows the messages."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
