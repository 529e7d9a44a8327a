"""The statement over HTTP, for the API and the console: streamed where it may be long."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from common.errors import InvalidRequest, LimitExceeded
from common.spreadsheets import csv_lines
from reconciliation.documents.content import Content
from reconciliation.documents.pdf import render_pdf
from reconciliation.documents.sheets import csv_rows, write_xlsx
from reconciliation.models import Settlement

PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = ("csv", "pdf", "xlsx")
MOST_XLSX_LINES = 200_000  # about ten seconds; what is longer is for machines, which read CSV


def statement_answer(settlement: Settlement, format_: str) -> HttpResponse | StreamingHttpResponse | FileResponse:
    """The statement as a download. Raises InvalidRequest (no such format), LimitExceeded (too long for a spreadsheet)."""
    content, name = Content.of(settlement), f"settlement-{settlement.day.isoformat()}-{settlement.pk}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    match format_:
        case "csv":
            rows = csv_lines(csv_rows(content))
            return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=headers)
        case "pdf":
            return HttpResponse(render_pdf(content), content_type=PDF, headers=headers)
        case "xlsx":
            if settlement.line_count > MOST_XLSX_LINES:
                raise LimitExceeded(
                    f"It has {settlement.line_count:,} lines: take the CSV.", lines=settlement.line_count
                )
            return FileResponse(write_xlsx(content), as_attachment=True, filename=name, content_type=XLSX)
    raise InvalidRequest(f"Choose one of {', '.join(FORMATS)}.")
