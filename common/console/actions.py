"""What every act of an operator has: a dialog with a reason, and an answer for the browser (with or without HTMX)."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(BaseDialogForm):
    """Why. The reason is kept in the audit log."""

    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept in the audit log with your name.",
    )


def form_page(
    request: HttpRequest,
    page: ModelAdmin,
    form: forms.BaseForm,
    *,
    title: str,
    lead: str,
    submit: str,
    back: str,
    refused: str = "",
) -> HttpResponse:
    """A form on a page of its own, for what is too long for a dialog or answers with a secret."""
    context = page.admin_site.each_context(request) | {
        "title": title,
        "lead": lead,
        "form": form,
        "submit": submit,
        "back": back,
        "refused": refused,
        "opts": page.opts,
    }
    return TemplateResponse(request, "admin/common/form_page.html", context)


def show_once(
    request: HttpRequest, page: ModelAdmin, *, title: str, lead: str, secrets: Sequence[tuple[str, str]], back: str
) -> HttpResponse:
    """Secrets that were just made, in the answer to the very request that made them: kept nowhere, in no cookie and no cache."""
    context = page.admin_site.each_context(request) | {
        "title": title,
        "lead": lead,
        "secrets": secrets,
        "back": back,
        "opts": page.opts,
    }
    return TemplateResponse(
        request, "admin/common/secret_once.html", context, headers={"Cache-Control": "no-store, private"}
    )


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page, which shows the messages."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
