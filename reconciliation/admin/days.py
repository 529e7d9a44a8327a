"""The day-close board, a day's own page, the closings, and the balance sheet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, register_converter, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from common.console import html
from common.console.actions import or_busy
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, related, state, when
from common.console.proposals import answer_proposal
from common.console.site import operator
from common.errors import CounterfoilError
from common.models import Proposal, ProposalState
from reconciliation.admin.filters import ProviderFilter
from reconciliation.admin.proposed import figures_shown
from reconciliation.models import Break, DayClose, ReconciliationRun, Side, Source, Statement
from reconciliation.selectors import break_difference
from reconciliation.services.balance_sheet import balance_sheet
from reconciliation.services.board import board, last_days_of_board
from reconciliation.services.closing import CLOSE, REOPEN, day_close, propose_close, propose_reopen
from reconciliation.services.compare import COMPARE, FETCH, day_ask, day_key, last_fetch
from reconciliation.services.day_figures import day_figures, is_over

_STATEMENTS = 20


class DateConverter:
    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


register_converter(DateConverter, "day")


class SignForm(forms.Form):
    """Why it may be closed as it is, or has to be opened again."""

    reason = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="The second person reads it; it stays.",
    )


@column("figures_table", "Figures, as they were signed")
def figures(closing: DayClose) -> Any:
    return figures_shown(closing.figures) if closing.figures else html.EMPTY


@admin.register(DayClose)
class DayCloseAdmin(ConsoleAdmin):
    empty_text = "No day has been closed yet. Clean days close by themselves every morning."
    list_display = (
        day("day", "Day"),
        "provider",
        mode(),
        state("state"),
        "is_clean",
        "carried",
        "actor",
        when("at", "When"),
        related("proposal", "Signed"),
    )
    list_filter = (ProviderFilter, ("state", ChoicesDropdownFilter), "live", ("day", RangeDateFilter))
    list_select_related = ("proposal",)
    search_fields = ("=id", "=actor")
    ordering = ("-at",)
    details = (
        (None, ("provider", mode(), day("day", "Day"), "number", state("state"), "is_clean", "carried")),
        ("Who", ("actor", "reason", when("at", "When"), related("proposal", "Signed"))),
        (None, (figures,)),
    )

    def get_urls(self) -> list[Any]:
        def view(act: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            return self.admin_site.admin_view(act)  # type: ignore[no-any-return]

        return [
            path("board/", view(self.board), name="reconciliation_dayclose_board"),
            path("money/", view(self.money), name="reconciliation_dayclose_money"),
            path("<str:provider>/<str:mode_name>/<day:of>/", view(self.of_day), name="reconciliation_dayclose_day"),
            *super().get_urls(),
        ]

    def board(self, request: HttpRequest) -> HttpResponse:
        _may(request, "reconciliation.view_dayclose")
        now = timezone.now()
        days = last_days_of_board(now)
        rows = board(days=days, now=now)
        names = dict(Source.objects.values_list("code", "name"))
        context = {
            "title": "Day close",
            "days": days,
            "rows": [
                (
                    names[provider],
                    live,
                    [(cell, _day_url(provider, live, cell.day), html.amounts(cell.unexplained)) for cell in cells],
                )
                for (provider, live), cells in rows.items()
            ],
        }
        return self._page(request, "admin/reconciliation/day/board.html", context)

    def money(self, request: HttpRequest) -> HttpResponse:
        _may(request, "payments.view_posting")
        return self._page(
            request,
            "admin/reconciliation/day/money.html",
            {"title": "Balance sheet", "balances": balance_sheet()},
        )

    def of_day(self, request: HttpRequest, provider: str, mode_name: str, of: date) -> HttpResponse:
        """One source's day. A POST has it compared again, closes it, or proposes to close it as it is or to open it again."""
        _may(request, "reconciliation.view_dayclose")
        source = Source.objects.filter(pk=provider).first()
        if (
            source is None or mode_name not in ("live", "test") or not 1000 <= of.year < 9999
        ):  # it has a day before and after
            raise Http404
        key: dict[str, Any] = {"provider": provider, "live": mode_name == "live", "day": of}
        back = _day_url(**key)
        if request.method == "POST":
            _may(request, "reconciliation.close_day")
            return self._act(request, key, back)
        now = timezone.now()
        history = list(DayClose.objects.filter(**key).select_related("proposal").order_by("-number"))
        closed = bool(history) and history[0].state == "CLOSED"
        figures = day_figures(**key)
        open_breaks, statements = Break.objects.filter(**key, resolved_at=None), Statement.objects.filter(**key)
        query = f"?provider={provider}&live__exact={int(key['live'])}&day__range__gte={of}&day_from={of}&day_to={of}"
        context = {
            "title": f"{source.name}, {of:%-d %b %Y}",
            "figures": figures,
            "unexplained": html.amounts(figures.unexplained) if figures.unexplained else "0.00",
            "points": [] if closed else figures.open_points(),
            "closed": closed,
            "over": is_over(provider, of, now),
            "history": history,
            "key": key,
            "statements": statements.select_related("provider_account").order_by("-received_at")[:_STATEMENTS],
            "more_statements": max(0, statements.count() - _STATEMENTS),
            "statements_url": reverse("admin:reconciliation_statement_changelist") + query,
            "last_run": ReconciliationRun.objects.filter(**key).order_by("-started_at").first(),
            "breaks": [
                (found, html.amounts(break_difference(found)))
                for found in open_breaks.select_related("operation", "owner").order_by("first_seen_at")[:10]
            ],
            "breaks_url": reverse("admin:reconciliation_break_changelist") + query,
            "fetchable": figures.missing and (source.side == Side.PROVIDER or source.fetch_url),
            "fetched": last_fetch(**key),
            "waiting": Proposal.objects.filter(
                state=ProposalState.OPEN, kind__in=(CLOSE, REOPEN), subject_id=day_key(**key)
            ).first(),
            "form": SignForm(),
            "can_close": request.user.has_perm("reconciliation.close_day"),
        }
        return self._page(request, "admin/reconciliation/day/day.html", context)

    def _act(self, request: HttpRequest, key: dict[str, Any], back: str) -> HttpResponse:
        by: dict[str, Any] = {"actor": operator(request), "now": timezone.now()}
        me: Any = request.user
        if (what := request.POST.get("act")) in (COMPARE, FETCH):
            try:
                day_ask(what=what, **key, **by)
            except CounterfoilError as exc:
                messages.error(request, exc.message)
            else:
                doing = "compared" if what == COMPARE else "fetched and compared"
                messages.success(request, f"It is being {doing}. Load this page again to see the outcome.")
            return redirect(back)
        if request.POST.get("act") == "close":
            try:
                with or_busy():
                    day_close(**key, **by)
            except CounterfoilError as exc:
                messages.error(request, exc.message)
            else:
                messages.success(request, "The day is closed.")
            return redirect(back)
        form = SignForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Say why.")
            return redirect(back)
        make = propose_reopen if request.POST.get("act") == "reopen" else propose_close
        return answer_proposal(request, lambda: make(**key, by=me, reason=form.cleaned_data["reason"], **by), back)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request, template, self.admin_site.each_context(request) | {"opts": self.opts} | context
        )


def _may(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _day_url(provider: str, live: bool, day: date) -> str:
    return reverse("admin:reconciliation_dayclose_day", args=[provider, "live" if live else "test", day])
