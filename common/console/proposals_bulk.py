"""Deciding several proposals on one page: each is shown with what it does, and decided on its own; one that cannot be done holds up no other."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from common.approvals import approve, reject
from common.console import html
from common.console.actions import or_busy
from common.console.panels import PROPOSED
from common.console.site import operator
from common.errors import CounterfoilError, ServiceUnavailable
from common.models import Proposal, ProposalState

AT_ONCE = 50
BUSY = 2  # after so many that had to wait in vain the others are not tried: each waits as long


class DecisionForm(forms.Form):
    """One answer to all that are ticked."""

    act = forms.ChoiceField(
        choices=(("", "Choose"), ("approve", "Approve each"), ("reject", "Reject each")),
        widget=UnfoldAdminSelectWidget,
        label="What",
    )
    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept in the audit log with your name, for each of them.",
    )


class DecideMany:
    """Mixed into the admin of proposals."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.decide_many)
        return [path("decide/", view, name="common_proposal_decide"), *super().get_urls()]  # type: ignore[misc]

    def decide_many(self, request: HttpRequest) -> HttpResponse:
        """A GET shows the chosen ones that this person may decide; a POST decides those that are still ticked."""
        if not request.user.has_perm("common.view_proposal"):
            raise PermissionDenied
        queue = reverse("admin:common_proposal_changelist")
        rows, left_out = _decidable(request)
        if not rows:
            messages.info(request, "Choose proposals that you may decide: open ones, asked for by somebody else.")
            return redirect(queue)
        form = DecisionForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            _decide(request, rows, **form.cleaned_data)
            if left_out:
                messages.warning(
                    request, f"{left_out} of the chosen left out: not yours to decide, or more than {AT_ONCE}."
                )
            return redirect(queue)
        context = self.admin_site.each_context(request) | {
            "title": f"Decide {len(rows)} proposal{'s' if len(rows) > 1 else ''}",
            "opts": self.opts,
            "form": form,
            "rows": [(row, _shown(row)) for row in rows],
            "left_out": left_out,
            "at_once": AT_ONCE,
            "queue": queue,
        }
        return TemplateResponse(request, "admin/common/decide.html", context)


def _decidable(request: HttpRequest) -> tuple[list[Proposal], int]:
    """Of the chosen ones those that this person may decide, and how many are not."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = list(dict.fromkeys(given.getlist("pick")))
    user: Any = request.user
    keys = [key for key in chosen if "\x00" not in key]
    found = Proposal.objects.filter(pk__in=keys, state=ProposalState.OPEN).exclude(proposed_by=user)
    rows = [row for row in found.select_related("proposed_by").order_by("pk") if user.has_perm(row.permission)]
    rows = rows[:AT_ONCE]
    return rows, len(chosen) - len(rows)


def _decide(request: HttpRequest, rows: list[Proposal], *, act: str, reason: str) -> None:
    decide = approve if act == "approve" else reject
    done = busy = 0
    for number, row in enumerate(rows):
        if busy == BUSY:
            messages.error(request, f"{len(rows) - number} more were not tried. Try again in a minute.")
            break
        try:
            with or_busy():
                decide(proposal_id=row.pk, by=request.user, reason=reason, actor=operator(request), now=timezone.now())  # type: ignore[arg-type]
        except CounterfoilError as exc:
            busy += isinstance(exc, ServiceUnavailable)
            messages.error(request, f"Not done: {row.summary}. {exc.message}")
        else:
            done += 1
    word = "approved" if act == "approve" else "rejected"
    messages.success(request, f"{done} of {len(rows)} proposals {word}.")


def _shown(row: Proposal) -> Any:
    show = PROPOSED.get(row.kind)
    return show(row) if show else html.pretty_json(row.parameters)
