"""The queue of open questions: what no rule may decide, oldest first; and proposing how one is closed.

Nothing is decided here: a decision waits for a second person, except asking the provider once more.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminRadioSelectWidget

from common.console import html
from common.console.actions import ReasonForm
from common.console.base import ConsoleAdmin
from common.console.columns import column, pretty, related, state, when
from common.console.filters import OpenFilter
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.proposals import answer_proposal
from common.console.site import operator
from common.models import Proposal
from payments.admin.search import ReferenceSearch
from payments.models import ReviewItem
from payments.services.reviews import CHOICES, MAY_PROPOSE, SUBJECT, decisions_for, review_propose
from payments.states import Decision


def open_questions(request: HttpRequest) -> str:
    """How many wait, for the navigation; nothing when none does."""
    waiting = ReviewItem.objects.filter(resolved_at=None)[:100].count()
    return str(waiting) if waiting else ""


@column("age", "Waiting for", order="opened_at")
def age(item: ReviewItem) -> Any:
    return "Resolved" if item.resolved_at else timesince(item.opened_at, depth=1)


@column("question", "Question")
def question(item: ReviewItem) -> Any:
    return html.link(html.page_url(item.payment.transaction), item.summary) if item.payment else item.summary


@column("suspense", "In suspense")
def suspense(item: ReviewItem) -> Any:
    if not item.suspense_minor:
        return html.EMPTY
    return html.money(item.suspense_minor, item.currency)


@column("taken", "Accepted")
def accepted(item: ReviewItem) -> Any:
    return html.money(item.accepted_minor, item.currency) if item.accepted_minor else html.EMPTY


kind = state("kind", "Kind")


class BookOffForm(ReasonForm):
    """Against whom the money in suspense is booked."""

    keep = forms.ChoiceField(
        label="Booked against",
        choices=[("no", "the provider: it has put it right itself"), ("yes", "our differences: nobody claims it")],
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("keep", "reason")


def _proposing(decision: Decision, icon: str) -> Any:
    """The action that proposes a decision."""
    choice = CHOICES[decision]

    @action(
        description=choice.title,
        permissions=["propose"],
        url_path=decision.lower().replace("_", "-"),
        icon=icon,
        dialog={
            "title": f"Propose: {choice.title.lower()}",
            "description": f"{choice.description} It is done when a second person has approved.",
            "form_class": BookOffForm if decision is Decision.WRITE_OFF else ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def propose(self: Any, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        item = get_object_or_404(ReviewItem, pk=unquote(object_id))
        user: Any = request.user

        def make() -> Proposal:
            return review_propose(
                item_id=item.pk,
                decision=decision,
                reason=form.cleaned_data["reason"],
                keep=form.cleaned_data.get("keep") == "yes",
                by=user,
                actor=operator(request),
                now=timezone.now(),
            )

        return answer_proposal(request, make, html.page_url(item))

    return propose


# decision -> name of its action, icon
ACTIONS = {
    Decision.ACCEPT: ("accept", "check_circle"),
    Decision.RETURN: ("give_back", "undo"),
    Decision.WRITE_OFF: ("write_off", "menu_book"),
    Decision.GIVE_UP: ("give_up", "block"),
    Decision.STANDS: ("stands", "gavel"),
}


def dialogs_of(item: ReviewItem) -> list[dict[str, str]]:
    """The buttons of what may be proposed about it now, for another page."""
    buttons = []
    for choice in decisions_for(item):
        name, icon = ACTIONS[choice.decision]
        url = reverse(f"admin:payments_reviewitem_{name}", args=[item.pk])
        buttons.append({"label": choice.title, "icon": icon, "url": url})
    return buttons


@admin.register(ReviewItem)
class ReviewItemAdmin(ReferenceSearch, ConsoleAdmin):
    found_by = ("id",)
    transaction_path = "payment__transaction"
    actions_detail = tuple(name for name, _ in ACTIONS.values())
    list_display = (
        kind,
        question,
        related("payment__transaction__merchant", "Merchant"),
        "payment",
        suspense,
        state("state"),
        age,
        when("opened_at", "Opened"),
    )
    list_display_links = (kind,)
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("payment__transaction__merchant",)
    ordering = ("opened_at",)
    details = (
        (
            None,
            (
                kind,
                "summary",
                related("payment__transaction", "Transaction"),
                related("operation", "Operation"),
                related("event", "Message"),
                state("state"),
                suspense,
                when("opened_at", "Opened"),
            ),
        ),
        (None, (pretty("details", "Figures"),)),
        (
            "Decision",
            (
                state("decision", "Decided"),
                accepted,
                related("returned_by", "Given back by"),
                related("proposal", "Proposal"),
                "resolution",
                "resolved_by",
                when("resolved_at", "Resolved"),
            ),
        ),
    )

    accept, give_back, write_off, give_up, stands = (
        _proposing(decision, icon) for decision, (_, icon) in ACTIONS.items()
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Conflicts and open questions"} | (extra_context or {}))

    def has_propose_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(MAY_PROPOSE))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what may be proposed about it as it stands."""
        item = ReviewItem.objects.filter(pk=unquote(str(object_id))).first()
        names = tuple(f"_{ACTIONS[choice.decision][0]}" for choice in decisions_for(item)) if item else ()
        return [found for found in super().get_actions_detail(request, object_id) if found.action_name.endswith(names)]


def _proposed(proposal: Proposal) -> Any:
    """What it would do, in words and with the provider's figures."""
    item = ReviewItem.objects.filter(pk=proposal.subject_id).first()
    rows = [("Question", item.summary if item else html.EMPTY)]
    if item and item.suspense_minor:
        rows.append(("In suspense now", html.money(item.suspense_minor, item.currency)))
    return html.table(("", proposal.summary), rows)


PROPOSED.update({choice.act: _proposed for choice in CHOICES.values()})
SUBJECT_PAGES[SUBJECT] = lambda subject_id: reverse("admin:payments_reviewitem_change", args=[subject_id])
