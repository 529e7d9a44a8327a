"""Lines that could not be read: as they stand in the file, why, and a form that puts them right."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from common.console import html
from common.console.actions import ReasonForm
from common.console.base import ConsoleAdmin
from common.console.columns import column, related, state, when
from common.console.panels import SUBJECT_PAGES
from common.console.proposals import answer_proposal
from common.console.site import operator
from common.console.waiting import waits
from common.errors import CounterfoilError
from reconciliation.models import QuarantinedLine, QuarantineState
from reconciliation.services.quarantine import columns_of, line_discard_propose, line_fix


class LineForm(forms.Form):
    """A field for each column of the line, with what the file has."""

    def __init__(self, line: QuarantinedLine, data: Any = None) -> None:
        super().__init__(data)
        columns = columns_of(line.statement)
        for number, name in enumerate(columns):
            self.fields[f"cell{number}"] = forms.CharField(
                label=name,
                required=False,
                strip=False,
                max_length=4000,
                initial=line.cells[number] if number < len(line.cells) else "",
                widget=UnfoldAdminTextInputWidget,
            )

    def cells(self) -> list[str]:
        return [self.cleaned_data[name] for name in self.fields]


def _cells(field: str) -> Any:
    """The line's columns by their names, one a row."""

    @column(f"{field}_table", "Columns")
    def read(line: QuarantinedLine) -> Any:
        cells = getattr(line, field)
        if not cells:
            return html.EMPTY
        return html.table(
            ("Column", "Text"),
            ((name or "–", cell) for name, cell in zip_longest(columns_of(line.statement), cells, fillvalue="")),
        )

    return read


@admin.register(QuarantinedLine)
class QuarantinedLineAdmin(ConsoleAdmin):
    empty_text = "Every line of every statement could be read."
    actions_detail = ("fix", "discard")
    list_display = (
        "number",
        related("statement", "Statement"),
        "reason",
        state("state"),
        when("created_at", "Came", sortable=True),
    )
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("statement",)
    search_fields = ("=statement__id",)
    search_help_text = "Statement"
    ordering = ("-id",)
    details = (
        (None, (related("statement", "Statement"), "number", "reason", state("state"))),
        (None, (waits("quarantined_line"),)),
        ("As it came", (_cells("cells"),)),
        (
            "Put right",
            (
                _cells("fixed_cells"),
                "fixed_by",
                when("decided_at", "When"),
                related("line", "Line"),
                related("bank_line", "Bank line"),
                related("proposal", "Discarded by"),
            ),
        ),
    )

    def has_fix_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.fix_quarantinedline"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only while it is open."""
        open_ = QuarantinedLine.objects.filter(pk=unquote(str(object_id)), state=QuarantineState.OPEN).exists()
        return list(super().get_actions_detail(request, object_id)) if open_ else []

    @action(description="Put right", permissions=["fix"], url_path="fix", icon="edit")
    def fix(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A page with a field for each column; a POST reads the line again, alone."""
        line = self.get_object(request, unquote(object_id))
        if line is None:
            return redirect("admin:reconciliation_quarantinedline_changelist")
        form, refused = LineForm(line, request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                line_fix(line_id=line.pk, cells=form.cells(), actor=operator(request), now=timezone.now())
            except CounterfoilError as exc:
                refused = exc.message
            else:
                messages.success(request, f"Line {line.number} is read.")
                return redirect(html.page_url(line.statement))
        context = self.admin_site.each_context(request) | {
            "title": f"Line {line.number} of {line.statement}",
            "lead": f"{line.reason}. It stands in the file as: {' | '.join(line.cells)}",
            "form": form,
            "refused": refused,
            "submit": "Read again",
            "back": html.page_url(line),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    @action(
        description="Discard",
        permissions=["fix"],
        url_path="discard",
        icon="delete",
        dialog={
            "title": "Propose to discard the line",
            "description": "A second person has to approve it. The file's control totals stay marked as different.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def discard(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        me: Any = request.user
        line_id = int(unquote(object_id))
        return answer_proposal(
            request,
            lambda: line_discard_propose(
                line_id=line_id,
                reason=form.cleaned_data["reason"],
                by=me,
                actor=operator(request),
                now=timezone.now(),
            ),
            reverse("admin:reconciliation_quarantinedline_change", args=[line_id]),
        )


SUBJECT_PAGES["quarantined_line"] = lambda subject_id: reverse(
    "admin:reconciliation_quarantinedline_change", args=[subject_id]
)
