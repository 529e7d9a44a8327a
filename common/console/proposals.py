"""What waits for a second person: one list and one page for the acts of all apps, and what their own pages need to propose them.

The page shows what the server has stored, never what a browser sent: who says yes sees what will be done. Each decision is a dialog, sent by POST
with a reason; a second click finds the proposal decided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.approvals import act_of, approve, pins_hold, reject
from common.console import html
from common.console.actions import ReasonForm, go_to, or_busy
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, state, when
from common.console.filters import DayFilter
from common.console.panels import CARDS, PROPOSED, SUBJECT_PAGES, Card
from common.console.proposals_bulk import DecideMany
from common.console.site import operator
from common.errors import CounterfoilError
from common.models import Proposal, ProposalState

_COUNTED = 100
_PINS = 10  # of a proposal are shown; one that has changed is enough to make it void


def waiting(request: HttpRequest) -> str:
    """How many this operator may decide, for the navigation; nothing when none waits."""
    user: Any = request.user
    permissions = (
        Proposal.objects.filter(state=ProposalState.OPEN).exclude(proposed_by=user).values_list("permission", flat=True)
    )
    count = sum(user.has_perm(permission) for permission in permissions[:_COUNTED])
    return str(count) if count else ""


def answer_proposal(request: HttpRequest, make: Callable[[], Proposal], back: str) -> HttpResponse:
    """Propose, say how it went, and leave the dialog for `back`."""
    try:
        with or_busy():
            proposal = make()
    except CounterfoilError as exc:
        messages.error(request, f"Not proposed: {exc.message}")
    else:
        messages.success(request, f"It waits for a second person: {proposal.summary}")
    return go_to(request, back)


def title_of(proposal: Proposal) -> str:
    """The act's name; its kind, where this release does not know it any more."""
    try:
        return act_of(proposal.kind).title
    except KeyError:
        return proposal.kind


class WaitingFilter(DropdownFilter):
    """What waits, unless asked for others."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("mine", "Waiting, asked by me"), ("decided", "Decided"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "mine":
                return queryset.filter(state=ProposalState.OPEN, proposed_by=request.user)
            case "decided":
                return queryset.exclude(state=ProposalState.OPEN)
            case "all":
                return queryset
        return queryset.filter(state=ProposalState.OPEN)


@column("pick", "")
def pick(proposal: Proposal) -> Any:
    return format_html(
        '<input type="checkbox" name="pick" value="{}" form="bulk-form" aria-label="Choose: {}">',
        proposal.pk,
        proposal.summary,
    )


@column("summary_text", "Summary")
def summary(proposal: Proposal) -> Any:
    return format_html('<div class="cf-text">{}</div>', proposal.summary)


@column("act", "What")
def act(proposal: Proposal) -> Any:
    return title_of(proposal)


@column("subject_link", "About")
def subject(proposal: Proposal) -> Any:
    page = SUBJECT_PAGES.get(proposal.subject_type)
    text = f"{proposal.subject_type.replace('_', ' ')} {proposal.subject_id}"
    return html.link(page(proposal.subject_id), text) if page else text


@column("will_do", "What will happen")
def will_do(proposal: Proposal) -> Any:
    show = PROPOSED.get(proposal.kind)
    return show(proposal) if show else html.pretty_json(proposal.parameters)


@column("pinned", "Void if one of these changes")
def pinned(proposal: Proposal) -> Any:
    if not proposal.pins:
        return html.EMPTY
    if proposal.state != ProposalState.OPEN:
        more = f" and {len(proposal.pins) - _PINS:,} more" if len(proposal.pins) > _PINS else ""
        return ", ".join(f"{pin['table']} {pin['key']}" for pin in proposal.pins[:_PINS]) + more
    rows = pins_hold(proposal)
    changed = [row for row in rows if not row[2]]
    if not changed:
        return format_html("{} {} as proposed", len(rows), "row is" if len(rows) == 1 else "rows are")
    return html.table(
        ("Row", ""), ((f"{table} {key}", html.badge("VOID", "has changed")) for table, key, _ in changed[:_PINS])
    )


@admin.register(Proposal)
class ProposalAdmin(DecideMany, ConsoleAdmin):
    found_by = ("id",)
    list_before_template = "admin/common/proposals.html"
    empty_text = "Nothing waits for a second person."
    actions_detail = ("approve_it", "reject_it", "withdraw_it")
    list_display = (
        pick,
        summary,
        state("state"),
        "proposed_by",
        day("proposed_at", "Proposed"),
        day("expires_at", "Expires"),
        "decided_by",
    )
    list_filter = (WaitingFilter, ("proposed_at", DayFilter))
    list_select_related = ("proposed_by", "decided_by")
    search_fields = ("=id", "=subject_id", "=kind")
    search_help_text = "Proposal, its subject or kind"
    ordering = ("-proposed_at",)
    details = (
        ("Proposal", ("summary", state("state"), act, subject, will_do)),
        ("Asked", ("proposed_by", when("proposed_at", "Proposed"), "reason", when("expires_at", "Expires"))),
        ("Decided", ("decided_by", when("decided_at", "Decided"), "decision_reason")),
        (None, (pinned,)),
    )

    def get_list_display(self, request: HttpRequest) -> Any:
        """Who decided is shown where something is decided."""
        decided = request.GET.get("state") in ("decided", "all")
        return [shown for shown in self.list_display if decided or shown != "decided_by"]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return (list_display[1],)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Waiting for a second person"} | (extra_context or {}))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what this person may do with it as it stands."""
        names = _decisions(request.user, Proposal.objects.filter(pk=unquote(str(object_id))).first())
        return [found for found in super().get_actions_detail(request, object_id) if found.action_name.endswith(names)]

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may decide it is the proposal's own permission; the service looks, and the database."""
        return bool(request.user.has_perm("common.view_proposal"))

    def _decide(
        self, request: HttpRequest, object_id: str, decide: Callable[..., Proposal], form: ReasonForm
    ) -> HttpResponse:
        proposal = get_object_or_404(Proposal, pk=unquote(object_id))
        try:
            with or_busy():
                proposal = decide(
                    proposal_id=proposal.pk,
                    by=request.user,
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
        except CounterfoilError as exc:
            messages.error(request, f"Not done: {exc.message}")
        else:
            messages.success(request, f"{proposal.get_state_display()}: {proposal.summary}")
        return go_to(request, html.page_url(proposal))

    @action(
        description="Approve",
        permissions=["decide"],
        url_path="approve",
        icon="check_circle",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Approve",
            "description": "It is done at once, as it stands on this page, in your name and its maker's.",
            "form_class": ReasonForm,
            "form_submit_text": "Approve",
        },
    )
    def approve_it(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, approve, form)

    @action(
        description="Reject",
        permissions=["decide"],
        url_path="reject",
        icon="block",
        dialog={
            "title": "Reject",
            "description": "Nothing is done. Its maker may propose it again.",
            "form_class": ReasonForm,
            "form_submit_text": "Reject",
        },
    )
    def reject_it(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, reject, form)

    @action(
        description="Withdraw",
        permissions=["decide"],
        url_path="withdraw",
        icon="undo",
        dialog={
            "title": "Withdraw",
            "description": "Nothing is done.",
            "form_class": ReasonForm,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw_it(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, reject, form)


def _decisions(user: Any, proposal: Proposal | None) -> tuple[str, ...]:
    if proposal is None or proposal.state != ProposalState.OPEN:
        return ()
    if proposal.proposed_by_id == user.pk:
        return ("withdraw_it",)
    return ("approve_it", "reject_it") if user.has_perm(proposal.permission) else ()


def oldest_proposal() -> Card:
    """How many wait, and since when."""
    found = Proposal.objects.filter(state=ProposalState.OPEN).aggregate(count=Count("pk"), oldest=Min("proposed_at"))
    return Card(
        title="Waiting for a second person",
        value=str(found["count"]),
        note=f"The oldest since {timezone.localtime(found['oldest']):%-d %b %H:%M}."
        if found["count"]
        else "Nothing is proposed.",
        url=reverse("admin:common_proposal_changelist"),
        tone="warning" if found["count"] else "success",
    )


CARDS.append((55, "common.view_proposal", oldest_proposal))
