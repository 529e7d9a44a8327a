"""The queue of breaks: what is open, whose it is and until when; a page for each, and the acts on it.

Nothing here decides anything: whatever makes a difference vanish is proposed, and waits for a second person.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import action

from common.console import html
from common.console.actions import ReasonForm, go_to, or_busy
from common.console.base import ConsoleAdmin
from common.console.columns import column, state, when
from common.console.filters import OpenFilter
from common.console.proposals import answer_proposal
from common.console.search import ExactSearch
from common.console.site import operator
from common.errors import CounterfoilError
from payments.admin.operations import SAID
from reconciliation.admin.break_forms import AdjustForm, AssignForm, CommentForm, DueForm
from reconciliation.admin.break_lists import BreakLists
from reconciliation.admin.break_page import break_page
from reconciliation.admin.filters import AboutFilter, AgeFilter, ProviderFilter, QueueFilter
from reconciliation.models import Break, BreakComment, BreakFilter
from reconciliation.selectors import break_difference
from reconciliation.services.breaks import break_ask, breaks_assign, breaks_comment, breaks_set_due
from reconciliation.services.resolutions import ADJUST, DISPUTE, MATCH, WRITE_OFF, propose_resolution


@column("pick", "")
def pick(row: Break) -> Any:
    return format_html(
        '<input type="checkbox" name="pick" value="{}" form="bulk-form" aria-label="Choose break {}">', row.pk, row.pk
    )


@column("difference_money", "Difference")
def difference(row: Break) -> Any:
    return html.amounts(break_difference(row))


@column("where_day", "Source, day", order="day")
def where(row: Break) -> Any:
    carried = (
        format_html(' <span class="cf-quiet cf-small">from {}</span>', f"{row.carried_from:%-d %b}")
        if row.carried_from
        else ""
    )
    return format_html(
        '<span class="cf-nowrap">{} {}</span> {}{}', row.provider, f"{row.day:%-d %b}", html.mode(row.live), carried
    )


@column("what_text", "Cause")
def what(row: Any) -> Any:
    notes = f"{row.comment_count} note{'s' if row.comment_count > 1 else ''}" if row.comment_count else ""
    return format_html(
        '<div class="cf-cause">{} <span class="cf-small cf-quiet">{} {}</span></div>', row.cause, _payment(row), notes
    )


def _payment(row: Break) -> Any:
    if row.payout is not None:
        return html.link(html.page_url(row.payout), "Payout")
    return html.link(html.page_url(row.operation.payment.transaction), "Payment") if row.operation else ""


@column("age", "Age", order="first_seen_at")
def age(row: Break) -> str:
    """In the classes of the reports: under a day, 1-3, 4-7, more than 7 days."""
    if row.resolved_at is not None:
        return row.get_resolution_display()
    days = (timezone.now() - row.first_seen_at).days
    return "< 1 day" if days < 1 else "1-3 days" if days <= 3 else "4-7 days" if days <= 7 else "> 7 days"


@column("due_badge", "Due", order="due_on")
def due(row: Break) -> Any:
    if row.due_on is None:
        return html.EMPTY
    late = row.resolved_at is None and row.due_on < timezone.localdate()
    return html.badge("OVERDUE" if late else "DUE", f"{row.due_on:%-d %b}")


@admin.register(Break)
class BreakAdmin(ExactSearch, BreakLists, ConsoleAdmin):
    empty_text = "No break is open: every difference is explained."
    list_before_template = "admin/reconciliation/break/queue.html"
    actions_detail = ("assign", "comment", "set_due", "ask", "adjust", "write_off", "dispute", "match_it")
    list_display = (
        pick,
        state("kind", "Kind"),
        difference,
        where,
        what,
        age,
        "owner",
        due,
    )
    list_display_links = ("kind_badge",)
    list_filter = (
        OpenFilter,
        QueueFilter,
        AgeFilter,
        AboutFilter,
        ("kind", ChoicesDropdownFilter),
        ProviderFilter,
        "live",
        ("day", RangeDateFilter),
    )
    list_select_related = ("operation__payment__transaction", "payout", "owner")
    search_fields = exact = (
        "line__provider_reference",
        "line__our_reference",
        "operation__reference",
        "operation__payment__transaction__id",
        "bank_line__reference",
        "remittance__id",
        "payout__end_to_end_id",
    )
    search_help_text = "Provider, bank or our reference, transaction, remittance or payout"
    ordering = ("first_seen_at", "id")
    details = ((None, (state("kind", "Kind"), "cause", when("first_seen_at", "First seen"))),)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The notes of the page's rows, counted at once; counted with the list, they were counted for all of the queue."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        notes = BreakComment.objects.filter(break_item__in=rows).order_by().values_list("break_item")
        counts = dict(notes.annotate(Count("pk")))
        for row in rows:
            row.comment_count = counts.get(row.pk, 0)
        changelist.result_list = rows
        return changelist

    def find(self, request: HttpRequest, term: str) -> QuerySet[Break]:
        """The open ones about an item that `term` names."""
        found, _ = self.get_search_results(request, Break.objects.filter(resolved_at=None), term)
        return found

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return (list_display[1],)

    def page_of(self, request: HttpRequest, found: Break) -> dict[str, Any]:
        return {"page": break_page(found, request.user), "title": "Break"}

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        return []  # the page has its own buttons, beside what they act on

    def has_work_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.work_break"))

    def has_propose_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.propose_break"))

    def has_look_up_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("payments.look_up_operation"))

    @action(
        description="Assign",
        permissions=["work"],
        url_path="assign",
        dialog={"title": "Assign", "description": "", "form_class": AssignForm, "form_submit_text": "Assign"},
    )
    def assign(self, request: HttpRequest, form: AssignForm, object_id: str) -> HttpResponse:
        owner: User | None = form.cleaned_data["owner"]
        return self._work(request, object_id, breaks_assign, "Assigned.", owner=owner)

    @action(
        description="Comment",
        permissions=["work"],
        url_path="comment",
        dialog={"title": "Comment", "description": "", "form_class": CommentForm, "form_submit_text": "Note it"},
    )
    def comment(self, request: HttpRequest, form: CommentForm, object_id: str) -> HttpResponse:
        return self._work(request, object_id, breaks_comment, "Noted.", text=form.cleaned_data["comment"])

    @action(
        description="Due date",
        permissions=["work"],
        url_path="due",
        dialog={
            "title": "Due date",
            "description": "A later day carries the break forward. It stays open.",
            "form_class": DueForm,
            "form_submit_text": "Set",
        },
    )
    def set_due(self, request: HttpRequest, form: DueForm, object_id: str) -> HttpResponse:
        given = form.cleaned_data
        return self._work(request, object_id, breaks_set_due, "Set.", due_on=given["due_on"], reason=given["reason"])

    @action(
        description="Ask the provider now",
        permissions=["look_up"],
        url_path="ask",
        dialog={
            "title": "Ask the provider now",
            "description": "Asks what became of the operation and takes in the answer; where it had ended for us, the statement has answered. Nothing is sent again.",
            "form_class": ReasonForm,
            "form_submit_text": "Ask",
        },
    )
    def ask(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        found = get_object_or_404(Break, pk=unquote(object_id))
        try:
            effect = break_ask(break_id=found.pk, reason=form.cleaned_data["reason"], **_by(request))
        except CounterfoilError as exc:
            messages.error(request, exc.message)
        else:
            ended = (messages.INFO, "Its outcome is final: there is nothing to ask about.")
            level, text = SAID[effect] if effect else ended
            messages.add_message(request, level, text)
        return go_to(request, html.page_url(found))

    @action(
        description="Adjust by journal",
        permissions=["propose"],
        url_path="adjust",
        dialog={
            "title": "Propose to adjust by journal",
            "description": "The difference is booked against the account you choose, once a second person has approved.",
            "form_class": AdjustForm,
            "form_submit_text": "Propose",
        },
    )
    def adjust(self, request: HttpRequest, form: AdjustForm, object_id: str) -> HttpResponse:
        return self._propose(request, object_id, ADJUST, form, counter=form.cleaned_data["counter"])

    @action(
        description="Write off",
        permissions=["propose"],
        url_path="write-off",
        dialog={
            "title": "Propose to write off",
            "description": "The difference becomes ours, once a second person has approved.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def write_off(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._propose(request, object_id, WRITE_OFF, form)

    @action(
        description="Book the dispute",
        permissions=["propose"],
        url_path="dispute",
        dialog={
            "title": "Propose to book the dispute",
            "description": "A chargeback is taken from what the merchant is owed, a reversal given back, once a second person has approved.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def dispute(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._propose(request, object_id, DISPUTE, form)

    @action(
        description="Match",
        permissions=["propose"],
        url_path="match-both",
        dialog={
            "title": "Propose to match them",
            "description": "Both items of this break are taken as one, and their difference is booked, once a second person has approved.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def match_it(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._propose(request, object_id, MATCH, form)

    def _work(self, request: HttpRequest, object_id: str, act: Any, done: str, **given: Any) -> HttpResponse:
        found = get_object_or_404(Break, pk=unquote(object_id))
        try:
            with or_busy():
                changed = act(break_ids=[found.pk], **given, **_by(request))
        except CounterfoilError as exc:
            messages.error(request, exc.message)
        else:
            messages.success(request, done if changed else "Nothing to change.")
        return go_to(request, html.page_url(found))

    def _propose(self, request: HttpRequest, object_id: str, kind: str, form: ReasonForm, **given: Any) -> HttpResponse:
        found = get_object_or_404(Break, pk=unquote(object_id))
        return answer_proposal(
            request,
            lambda: propose_resolution(
                kind=kind, break_id=found.pk, reason=form.cleaned_data["reason"], **given, **_by(request)
            ),
            html.page_url(found),
        )


def _by(request: HttpRequest) -> dict[str, Any]:
    return {"by": request.user, "actor": operator(request), "now": timezone.now()}


@admin.register(BreakFilter)
class BreakFilterAdmin(ConsoleAdmin):
    empty_text = "Filters are saved above the queue of breaks."
    list_display = ("name", "owner", "query", when("created_at", "Made"))
    list_select_related = ("owner",)
    search_fields = ("name",)
    ordering = ("name",)
    details = ((None, ("name", "owner", "query", when("created_at", "Made"))),)
