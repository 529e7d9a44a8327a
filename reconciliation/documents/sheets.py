"""The statement as XLSX and CSV: amounts are numbers, times are dates, and no text is ever a formula. Written row by row, whatever its length."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter

from common.money import exponent
from common.spreadsheets import safe_cell
from merchants.api.rendering import instant
from reconciliation.documents.content import Content, Line, Summary

COLUMNS = (
    "id",
    "type",
    "bookedAt",
    "transactionId",
    "externalReference",
    "paymentTypeId",
    "gross",
    "refunds",
    "disputes",
    "fees",
    "adjustments",
    "amount",
    "currencyCode",
)
_SHEET_ROWS = 1_000_000  # a sheet has 1,048,576
_HEADS = ("Payments", "Refunds", "Gross", "Given back", "Disputes", "Fees", "Adjusted", "Net")
_LINE_HEADS = (
    "Booked",
    "What",
    "Your reference",
    "Transaction",
    "Payment type",
    "Gross",
    "Given back",
    "Disputes",
    "Fees",
    "Adjusted",
    "Net",
)


def csv_rows(content: Content) -> Iterator[tuple[str, ...]]:
    """The lines, each with exact decimals; the columns are named like the fields of the API."""
    yield COLUMNS
    for line in content.lines():
        amounts = (
            line.gross_minor,
            line.refund_minor,
            line.dispute_minor,
            line.fee_minor,
            line.adjustment_minor,
            line.net_minor,
        )
        yield (
            line.id,
            line.type,
            instant(line.at) or "",
            line.transaction_id,
            safe_cell(line.reference),
            line.method,
            *(str(content.money(minor)) for minor in amounts),
            content.currency,
        )


def write_xlsx(content: Content) -> IO[bytes]:
    """A temporary file at its beginning: a sheet with the calculation and summaries, then the lines."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 -- the answer that streams it closes it
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(out, options | {"remove_timezone": True})
    _Sheets(content, book).write()
    book.close()
    out.seek(0)
    return out


class _Sheets:
    def __init__(self, content: Content, book: Any) -> None:
        self.content, self.book = content, book
        digits = exponent(content.currency)
        amount = "#,##0" + ("." + "0" * digits if digits else "")
        self.money = book.add_format({"num_format": amount})
        self.total = book.add_format({"num_format": amount, "bold": True, "top": 1})
        self.bold = book.add_format({"bold": True})
        self.title = book.add_format({"bold": True, "font_size": 14, "font_color": "#134e4a"})
        self.head = book.add_format({"bold": True, "bg_color": "#f1f5f9", "bottom": 1, "font_color": "#134e4a"})
        self.time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})

    def write(self) -> None:
        self._summary()
        sheet, row = None, _SHEET_ROWS + 1
        for number, line in enumerate(self.content.lines()):
            if row > _SHEET_ROWS:
                sheet, row = self._new_lines(number // _SHEET_ROWS), 1
            self._line(sheet, row, line)
            row += 1
        if sheet is None:
            self._new_lines(0)

    def _summary(self) -> None:
        content, settlement = self.content, self.content.settlement
        sheet = self.book.add_worksheet("Settlement")
        sheet.set_column(0, 0, 38)
        sheet.set_column(1, 8, 15)
        sheet.hide_gridlines(2)
        row = 0
        sheet.write_string(row, 0, "Settlement statement", self.title)
        facts = [
            ("Settlement", settlement.pk),
            ("Merchant", f"{settlement.merchant.name} ({settlement.merchant.code})"),
            ("Mode", "live" if settlement.live else "test"),
            (
                "Period",
                f"{self._local(settlement.period_from)} to {self._local(settlement.period_to)} ({content.zone.key})",
            ),
            ("Closing day", settlement.day.isoformat()),
            ("Pay on", settlement.pay_on.isoformat()),
            ("State", settlement.get_state_display()),
            ("Currency", content.currency),
        ]
        for name, value in facts:
            row += 1
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 1, value)
        row += 1
        for part in content.parts():
            row += 1
            sheet.write_string(row, 0, ("    of which " if part.of else "") + part.name)
            sheet.write_number(row, 2 if part.of else 1, self._number(part.minor), self.money)
        row += 1
        sheet.write_string(row, 0, "Net", self.bold)
        sheet.write_number(row, 1, self._number(settlement.net_minor), self.total)
        for first, found in (("Payment type", content.by_method()), ("Day", content.by_day())):
            row = self._summaries(sheet, row + 2, first, found)

    def _summaries(self, sheet: Any, row: int, first: str, found: list[Summary]) -> int:
        for column, head in enumerate((first, *_HEADS)):
            sheet.write_string(row, column, head, self.head)
        for each in found:
            row += 1
            sheet.write_string(row, 0, each.name)
            sheet.write_number(row, 1, each.payments)
            sheet.write_number(row, 2, each.refunds)
            self._amounts(sheet, row, 3, each)
        return row

    def _new_lines(self, number: int) -> Any:
        sheet = self.book.add_worksheet("Lines" if number == 0 else f"Lines {number + 1}")
        for column, head in enumerate(_LINE_HEADS):
            sheet.write_string(0, column, head, self.head)
        sheet.set_column(0, 0, 19)
        sheet.set_column(1, 1, 12)
        sheet.set_column(2, 3, 32)
        sheet.set_column(4, 10, 13)
        sheet.freeze_panes(1, 0)
        return sheet

    def _line(self, sheet: Any, row: int, line: Line) -> None:
        sheet.write_datetime(row, 0, self.content.local(line.at).replace(tzinfo=None), self.time)
        for column, text in enumerate(
            (line.type.capitalize(), line.reference, line.transaction_id, line.method), start=1
        ):
            sheet.write_string(row, column, text)
        self._amounts(sheet, row, 5, line)

    def _amounts(self, sheet: Any, row: int, column: int, found: Summary | Line) -> None:
        signed = (
            found.gross_minor,
            -found.refund_minor,
            -found.dispute_minor,
            -found.fee_minor,
            found.adjustment_minor,
            found.net_minor,
        )
        for offset, minor in enumerate(signed):
            sheet.write_number(row, column + offset, self._number(minor), self.money)

    def _number(self, minor: int) -> Decimal:
        """A spreadsheet holds 15 digits of it."""
        return self.content.money(minor).decimal()

    def _local(self, at: datetime) -> str:
        return f"{self.content.local(at):%Y-%m-%d %H:%M}"
