"""What the queue has beside its list: saved filters, one act on many, spreadsheets out and in, and matching by hand."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core import signing
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from common.console import html
from common.console.actions import or_busy
from common.console.proposals import answer_proposal
from common.console.proposals_bulk import BUSY
from common.console.site import operator
from common.errors import CounterfoilError, InvalidRequest, ServiceUnavailable
from common.money import exponent
from reconciliation.admin.break_forms import BulkForm, FileForm, MatchForm
from reconciliation.admin.break_page import candidates, minor_of, near, own_item
from reconciliation.admin.filters import QUEUES
from reconciliation.models import Break, BreakFilter
from reconciliation.selectors import break_difference
from reconciliation.services.break_files import MAX_BYTES, MAX_ROWS, apply_rows, plan_of, read_rows, write_breaks
from reconciliation.services.breaks import (
    break_filter_remove,
    break_filter_save,
    breaks_assign,
    breaks_comment,
    breaks_set_due,
)
from reconciliation.services.resolutions import ADJUST, MATCH, WRITE_OFF, propose_resolution

_AT_ONCE = 200  # breaks that one act is about, all of them on its page
_OFFERED = 50
_SHOWN = 500
_NAMED = 10  # of the rows of a file that were refused
_DONE = {"assign": "Assigned", "due": "Due date set", "comment": "Noted"}
_SALT = "reconciliation.break_file"
_SIDES = {
    "operations": "Our operations",
    "lines": "The provider's lines",
    "remittances": "Remittances",
    "bank_lines": "The bank's lines",
}


class BreakLists:
    """Mixed into the admin of breaks."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[Any]:
        own = [
            ("bulk/", self.bulk, "bulk"),
            ("filters/save/", self.save_filter, "save_filter"),
            ("filters/<int:filter_id>/remove/", self.remove_filter, "remove_filter"),
            ("export/", self.export, "export"),
            ("import/", self.import_file, "import"),
            ("<int:object_id>/match/", self.match, "match"),
            ("<int:object_id>/take/", self.take, "take"),
        ]
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [
            path(route, self.admin_site.admin_view(view), name=f"reconciliation_break_{name}")
            for route, view, name in own
        ] + urls

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        chosen = {name: value for name, value in request.GET.items() if name not in ("p", "o", "q")}
        me: Any = request.user
        own = BreakFilter.objects.filter(owner=me)
        context = {
            "queues": [(label, f"?queue={key}", request.GET.get("queue") == key) for key, label in QUEUES],
            "filters": [(saved, request.GET.urlencode() == saved.query) for saved in own],
            "query": request.GET.urlencode() if chosen else "",
            "works": request.user.has_perm("reconciliation.work_break"),
        }
        return super().changelist_view(request, context | (extra_context or {}))  # type: ignore[misc,no-any-return]

    def save_filter(self, request: HttpRequest) -> HttpResponse:
        _only(request, "reconciliation.view_break", post=True)
        query = request.POST.get("query", "")
        try:
            saved = break_filter_save(
                owner=request.user,  # type: ignore[arg-type]
                name=request.POST.get("name", ""),
                query=query,
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, exc.message)
        else:
            messages.success(request, f"Saved as {saved.name}.")
        return redirect(f"{_queue()}?{query}")

    def remove_filter(self, request: HttpRequest, filter_id: int) -> HttpResponse:
        _only(request, "reconciliation.view_break", post=True)
        break_filter_remove(owner=request.user, filter_id=filter_id)  # type: ignore[arg-type]
        return redirect(_queue())

    def bulk(self, request: HttpRequest) -> HttpResponse:
        """One act on those that were chosen: a GET asks which act, a POST does it, each break on its own where it is proposed."""
        _only(request, "reconciliation.work_break")
        source = request.POST if request.method == "POST" else request.GET
        picked = {int(pk) for pk in source.getlist("pick") if pk.isdecimal() and len(pk) < 19}
        found = len(picked)
        if request.method == "GET" and "found" in request.GET:  # not those that are ticked: all that the filters find
            picked, found = self._found(request)
        elif found > _AT_ONCE:
            messages.error(request, f"Nothing was done: {found} are chosen, and one act is about at most {_AT_ONCE}.")
            return redirect(_queue())
        rows = list(
            Break.objects.filter(pk__in=picked, resolved_at=None).select_related("operation", "owner").order_by("pk")
        )
        if not rows:
            messages.info(request, "Choose breaks in the list first.")
            return redirect(_queue())
        form = BulkForm(request.POST or None)
        left_out = len(picked) - len(rows)
        if request.method == "POST" and form.is_valid():
            _bulk(request, [row.pk for row in rows], form.cleaned_data)
            if left_out:
                messages.warning(request, f"{left_out} of the chosen left out: resolved by now, or not there.")
            return redirect(_queue())
        return self._page(
            request,
            "admin/reconciliation/break/bulk.html",
            {
                "title": f"{len(rows)} break{'s' if len(rows) > 1 else ''}",
                "form": form,
                "rows": [(row, html.amounts(break_difference(row))) for row in rows],
                "left_out": left_out,
                "cut_off": html.cut_off(len(picked), found, "act on these, then on the next"),
            },
        )

    def _found(self, request: HttpRequest) -> tuple[set[int], int]:
        """The first of what the queue's filters find, as they are in the query string of `found`, and how many they find."""
        filtered = copy(request)
        filtered.GET = QueryDict(request.GET["found"])
        rows = self._filtered(filtered)
        return set(rows.values_list("pk", flat=True)[:_AT_ONCE]), rows.order_by().count()

    def _filtered(self, request: HttpRequest) -> QuerySet[Break]:
        """The queue as the query string filters it. Raises BadRequest for what no filter offers."""
        try:
            return self.get_changelist_instance(request).get_queryset(request)  # type: ignore[attr-defined,no-any-return]
        except IncorrectLookupParameters as exc:
            raise BadRequest("There is no such filter.") from exc

    def export(self, request: HttpRequest) -> Any:
        """The queue as it is filtered, all of it, as a workbook."""
        _only(request, "reconciliation.view_break")
        rows = self._filtered(request)
        if (count := rows.order_by().count()) > MAX_ROWS:
            messages.error(
                request, f"These are {count:,} breaks, and a workbook has at most {MAX_ROWS:,}: filter the queue first."
            )
            return redirect(f"{_queue()}?{request.GET.urlencode()}")
        return FileResponse(
            write_breaks(rows.select_related("operation", "line", "owner", "bank_line", "remittance", "payout")),
            as_attachment=True,
            filename=f"breaks-{timezone.localdate()}.xlsx",
            content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )

    def import_file(self, request: HttpRequest) -> HttpResponse:
        """The filled-in workbook: first what it would do, row by row; applied when that is confirmed. Proposals are made, nothing is decided."""
        _only(request, "reconciliation.work_break")
        if request.method == "POST" and "rows" in request.POST:
            try:
                rows = signing.loads(request.POST["rows"], salt=_SALT + str(request.user.pk), max_age=3600)
            except signing.BadSignature:
                messages.error(request, "The preview is older than an hour: upload the file again.")
                return redirect(reverse("admin:reconciliation_break_import"))
            done, problems = apply_rows(rows, by=request.user, actor=operator(request), now=timezone.now())  # type: ignore[arg-type]
            messages.success(request, f"{done} changes made or proposed, {len(problems)} rows refused.")
            for number, why in problems[:_NAMED]:
                messages.error(request, f"Row {number}: {why}")
            if len(problems) > _NAMED:
                messages.error(request, f"And {len(problems) - _NAMED} more: upload the file again to see them.")
            return redirect(_queue())
        form, refused = FileForm(request.POST or None, request.FILES or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                if form.cleaned_data["file"].size > MAX_BYTES:
                    raise InvalidRequest(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
                plan = plan_of(read_rows(form.cleaned_data["file"].read()), by=request.user)  # type: ignore[arg-type]
                signed_rows = signing.dumps(plan.rows, salt=_SALT + str(request.user.pk), compress=True)
                if len(signed_rows) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2:
                    raise InvalidRequest("The file says too much at once: split it.")
            except CounterfoilError as exc:
                refused = exc.message
            else:
                context = {
                    "title": "What the file would do",
                    "plan": plan.planned[:_SHOWN],
                    "unchanged": plan.unchanged,
                    "changing": sum(bool(each.does) for each in plan.planned),
                    "failing": sum(bool(each.problem) for each in plan.planned),
                    "rows": signed_rows,
                }
                return self._page(request, "admin/reconciliation/break/import.html", context)
        context = {
            "title": "Import the filled-in queue",
            "lead": "Export the queue, fill in owner, due date, comment, resolution and reason, and bring it back. First you see what it would do.",
            "form": form,
            "refused": refused,
            "submit": "Look at it",
            "back": _queue(),
        }
        return self._page(request, "admin/common/form_page.html", context)

    def take(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """It is mine now."""
        _only(request, "reconciliation.work_break", post=True)
        found = get_object_or_404(Break, pk=object_id)
        me: Any = request.user
        try:
            with or_busy():
                breaks_assign(break_ids=[found.pk], owner=me, by=me, actor=operator(request), now=timezone.now())
        except CounterfoilError as exc:
            messages.error(request, exc.message)
        return redirect(html.page_url(found))

    def match(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Choose what a break's item belongs with: a GET shows what is free, a POST proposes it."""
        _only(request, "reconciliation.propose_break")
        rows = Break.objects.select_related(
            "line__provider_account", "operation__payment__provider_account", "bank_line", "remittance", "payout"
        )
        found = get_object_or_404(rows, pk=object_id)
        chosen = request.POST.getlist("pick")
        me: Any = request.user
        form = MatchForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            field = _other_side(found)
            numbered = field in ("lines", "bank_lines")
            keys: dict[str, Any] = {field: [int(x) for x in chosen if x.isdecimal()] if numbered else chosen}
            return answer_proposal(
                request,
                lambda: propose_resolution(
                    kind=MATCH, break_id=found.pk, by=me, actor=operator(request), now=timezone.now(),
                    reason=form.cleaned_data["reason"], counter=form.cleaned_data["counter"], **keys,
                ),
                html.page_url(found),
            )  # fmt: skip
        term = request.GET.get("q", "").strip()
        own = own_item(found)
        wanted, currency = minor_of(own), own.currency
        free = candidates(found, term, limit=_OFFERED + 1)
        offered = [(row, near(row, found), minor_of(row)) for row in free[:_OFFERED]]
        context = {
            "title": "Match by hand",
            "found": found,
            "form": form,
            "offered": offered,
            "more": len(free) > _OFFERED,
            "term": term,
            "wanted": wanted,
            "currency": currency,
            "digits": exponent(currency),
            "side": _SIDES[_other_side(found)],
            "chosen": chosen or request.GET.getlist("pick"),
        }
        return self._page(request, "admin/reconciliation/break/match.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request, template, self.admin_site.each_context(request) | {"opts": self.opts, "queue": _queue()} | context
        )


def _other_side(found: Break) -> str:
    if found.bank_line_id:
        return "remittances"
    if found.remittance_id or found.payout_id:
        return "bank_lines"
    return "operations" if found.line_id else "lines"


def _bulk(request: HttpRequest, ids: list[int], given: dict[str, Any]) -> None:
    by: dict[str, Any] = {"by": request.user, "actor": operator(request), "now": timezone.now()}
    text = given["text"].strip()
    try:
        with or_busy():
            match given["act"]:
                case "assign":
                    changed = breaks_assign(break_ids=ids, owner=given["owner"], **by)
                case "due":
                    changed = breaks_set_due(break_ids=ids, due_on=given["due_on"], reason=text, **by)
                case "comment":
                    changed = breaks_comment(break_ids=ids, text=text, **by)
                case act:
                    kind = {"match": MATCH, "adjust": ADJUST, "write_off": WRITE_OFF}[act]
                    more = {"counter": given["counter"]} if kind == ADJUST else {}
                    changed = _propose_each(request, ids, kind, text, by | more)
    except CounterfoilError as exc:
        messages.error(request, exc.message)
    else:
        messages.success(
            request, f"{_DONE.get(given['act'], 'Proposed, for a second person')}: {changed} of {len(ids)} breaks."
        )


def _propose_each(request: HttpRequest, ids: list[int], kind: str, reason: str, by: dict[str, Any]) -> int:
    """A proposal for each break; one that cannot be proposed is named and holds up none of the others."""
    proposed = busy = 0
    why: dict[str, list[tuple[int, str]]] = {}
    for number, pk in enumerate(ids):
        if busy == BUSY:
            messages.error(request, f"{len(ids) - number} more were not tried. Try again in a minute.")
            break
        try:
            with or_busy():
                propose_resolution(kind=kind, break_id=pk, reason=reason, **by)
            proposed += 1
        except CounterfoilError as exc:
            busy += isinstance(exc, ServiceUnavailable)
            why.setdefault(re.sub(r"[\d.,]+", "#", exc.message), []).append((pk, exc.message))
    for refused in why.values():
        (pk, message), count = refused[0], len(refused)
        others = f"{count} breaks, such as {pk}" if count > 1 else str(pk)
        messages.warning(request, f"Not proposed for {others}: {message}")
    return proposed


def _only(request: HttpRequest, permission: str, *, post: bool = False) -> None:
    if not request.user.has_perm(permission) or (post and request.method != "POST"):
        raise PermissionDenied


def _queue() -> str:
    return reverse("admin:reconciliation_break_changelist")
