"""What every act of an operator has: a dialog with a reason, and an answer for the browser (with or without HTMX)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from django import forms
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from common.database import AWAY, constraint_of
from common.errors import InvalidState, ServiceUnavailable

log = structlog.get_logger(__name__)


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


@contextmanager
def or_busy() -> Iterator[None]:
    """Around one act: what the database cannot do now, or refuses by a rule that the act did not foresee, is a refusal that a person can read."""
    try:
        yield
    except AWAY as exc:
        raise ServiceUnavailable(
            "Something else is at work on it, such as a run. Nothing was done: try again."
        ) from exc
    except IntegrityError as exc:
        log.exception("console.act_refused", constraint=constraint_of(exc))
        raise InvalidState(f"The database refuses it ({constraint_of(exc) or 'a rule'}). Nothing was done.") from exc


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave a dialog for a page, which shows the messages."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
