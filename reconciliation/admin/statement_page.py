"""A statement's own page: what became of the file, its control totals, what could not be read, and the file itself to take away."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action

from common.audit import record_action
from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.site import operator
from common.errors import CounterfoilError
from common.money import exponent
from reconciliation.admin.statement_forms import UploadForm
from reconciliation.models import QuarantineState, Statement, StatementFile, StatementState
from reconciliation.services.imports import Imported, statement_import
from reconciliation.services.pages import page_discard

_SHOWN = 50


class StatementPages:
    """For the statements' admin: the page's upper part, the upload and the download."""

    change_form_before_template = "admin/reconciliation/statement/page.html"
    actions_list = ("upload",)
    actions_detail = ("discard_page",)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.file)  # type: ignore[attr-defined]
        own = path("<path:object_id>/file/", view, name="reconciliation_statement_file")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def has_upload_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.import_statement"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only of a page that waits."""
        waits = Statement.objects.filter(pk=unquote(str(object_id)), state=StatementState.WAITING).exists()
        return list(super().get_actions_detail(request, object_id)) if waits else []  # type: ignore[misc]

    @action(description="Upload a statement", permissions=["upload"], url_path="upload", icon="upload_file")
    def upload(self, request: HttpRequest) -> HttpResponse:
        known = {name: request.GET[name] for name in ("source", "mode", "day") if name in request.GET}
        form = UploadForm(request.POST or None, request.FILES or None, initial=known)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            imported = statement_import(
                content=given["file"].file,
                provider=given["source"].code,
                account=given["account"],
                live=form.live,
                day=given["day"],
                actor=operator(request),
                now=timezone.now(),
                name=given["file"].name,
            )
            _tell(request, imported)
            return redirect(html.page_url(imported.statement))
        context = self.admin_site.each_context(request) | {  # type: ignore[attr-defined]
            "title": "Upload a statement",
            "lead": "The file is taken in whole or refused whole. The same file twice changes nothing; a longer one of the same day "
            "adds its new lines; a line that cannot be read waits in quarantine.",
            "form": form,
            "submit": "Import",
            "back": reverse("admin:reconciliation_statement_changelist"),
            "opts": self.opts,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    @action(
        description="Discard this page",
        permissions=["upload"],
        url_path="discard",
        icon="delete",
        dialog={
            "title": "Discard this page",
            "description": "Nothing of it was applied. The other pages wait on without it; the same file, if it comes again, is a new page.",
            "form_class": ReasonForm,
            "form_submit_text": "Discard",
        },
    )
    def discard_page(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        statement = get_object_or_404(Statement, pk=unquote(object_id))
        try:
            page_discard(
                statement_id=statement.pk,
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not discarded: {exc.message}")
        else:
            messages.success(request, "The page is discarded.")
        return go_to(request, html.page_url(statement))

    def file(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The file as it came. Who took it is in the audit log."""
        if not request.user.has_perm("reconciliation.view_statementfile"):
            raise PermissionDenied
        file = StatementFile.objects.filter(pk=unquote(object_id)).select_related("statement").first()
        if file is None:
            raise Http404
        record_action(
            actor=operator(request),
            action="statement.downloaded",
            subject_type="statement",
            subject_id=file.pk,
            now=timezone.now(),
        )
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", file.name) or f"{file.statement.provider}-{file.statement.day}"
        return StreamingHttpResponse(
            file.parts(),
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(file.size),
                "X-Content-Type-Options": "nosniff",
            },
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        statement = Statement.objects.filter(pk=unquote(object_id)).select_related("file").first()
        context = statement_context(statement) if statement else {}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))  # type: ignore[misc,no-any-return]


def _sum(minor: int, digits: int) -> str:
    """In units: -15,696.39, whatever the currencies."""
    return f"{Decimal(minor).scaleb(-digits):,.{digits}f}"


def statement_context(statement: Statement) -> dict[str, Any]:
    """The figures of the page's upper part."""
    lines = statement.quarantined_lines.order_by("number")
    problems = statement.reason.splitlines()
    balances, remittances = statement.balances.all(), statement.remittances.order_by("account_key", "currency", "part")
    digits = max((2, *(exponent(x.currency) for x in balances)))  # parsers.entries.hundredths_of
    stated, unread = statement.stated, lines.exclude(state=QuarantineState.FIXED).count()
    controls = [
        (name, stated[key], found) if key == "lines" else (name, _sum(stated[key], digits), _sum(found, digits))
        for name, key, found in (
            ("Lines", "lines", statement.line_count - unread),
            ("Amounts", "amount", statement.amount_total),
            ("Fees", "fee", statement.fee_total),
            ("Net", "net", statement.net_total),
        )
        if stated
    ]
    return {
        "statement": statement,
        "refused": statement.state == StatementState.REFUSED,
        "waits": statement.state == StatementState.WAITING,
        "shown": _SHOWN,
        "problems": problems[:_SHOWN],
        "problem_count": len(problems),
        "repeated": statement.line_count - statement.new_line_count - unread,
        "waiting": lines.filter(state=QuarantineState.OPEN).count(),
        "controls": controls,
        "quarantined": lines[:_SHOWN],
        "balances": balances[:_SHOWN],
        "balance_count": balances.count(),
        "remittances": remittances[:_SHOWN],
        "remittance_count": remittances.count(),
        "has_file": StatementFile.objects.filter(pk=statement.pk).exists(),
    }


def _tell(request: HttpRequest, imported: Imported) -> None:
    statement = imported.statement
    if statement.state == StatementState.REFUSED:
        messages.error(request, "The file was refused: nothing of it was applied.")
    elif statement.state == StatementState.WAITING:
        messages.info(request, f"The file is kept: {statement.reason}.")
    elif imported.repeated:
        messages.info(request, "This file had been imported before. Nothing changed.")
    elif statement.quarantined_count:
        messages.warning(request, f"Imported; {statement.quarantined_count} lines could not be read and wait for you.")
    else:
        messages.success(request, f"Imported: {statement.new_line_count} new lines.")
