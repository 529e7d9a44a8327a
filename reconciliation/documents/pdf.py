"""The statement as PDF, on A4: the net and how it comes about, then each payment type, each day, and the lines.

DejaVu Sans is embedded where the system has it. Elsewhere it is Vera, which comes with reportlab, has the same widths and lacks, say, the Vietnamese
letters: what the font cannot show is written without its marks, so that a name stays readable. A statement of very many lines lists them in its
CSV and XLSX only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import reportlab
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Spacer, Table

from common.console.html import amount_text
from reconciliation.documents.content import Content, Summary, day_text
from reconciliation.models import PayoutState, SettlementState

MOST_LINES = 2_000
_MARGIN, _WIDTH = 16 * mm, A4[0] - 32 * mm
_INK, _QUIET, _RULE, _SOFT = HexColor("#0f172a"), HexColor("#64748b"), HexColor("#cbd5e1"), HexColor("#f1f5f9")
_ACCENT, _DEEP = HexColor("#0f766e"), HexColor("#134e4a")
_DEJAVU = (Path("/usr/share/fonts/truetype/dejavu"), Path("/usr/share/fonts/dejavu"), Path("/usr/share/fonts/TTF"))
_BARE = str.maketrans("đĐłŁøØ", "dDlLoO")


@cache
def _fonts() -> tuple[str, str]:
    """Names of the regular and the bold font, registered."""
    folder = next(
        (f for f in _DEJAVU if (f / "DejaVuSans.ttf").exists() and (f / "DejaVuSans-Bold.ttf").exists()), None
    )
    if folder is not None:
        files = folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"
    else:
        bundled = Path(reportlab.__file__).parent / "fonts"
        files = bundled / "Vera.ttf", bundled / "VeraBd.ttf"
    for file in files:
        pdfmetrics.registerFont(TTFont(file.stem, str(file)))
    return files[0].stem, files[1].stem


def shown(text: str) -> str:
    """The text with what the font cannot show replaced: by the letter without its marks, else by a question mark."""
    known = pdfmetrics.getFont(_fonts()[0]).face.charToGlyph

    def one(character: str) -> str:
        if known.get(ord(character)):  # glyph 0 is the empty box
            return character
        bare = unicodedata.normalize("NFD", character.translate(_BARE))[0]
        return bare if known.get(ord(bare)) else "?"

    return "".join(map(one, unicodedata.normalize("NFC", text)))


def _style(size: float, colour: Color = _INK, *, bold: bool = False, right: bool = False) -> ParagraphStyle:
    regular, strong = _fonts()
    return ParagraphStyle(
        "p",
        fontName=strong if bold else regular,
        fontSize=size,
        leading=size * 1.35,
        textColor=colour,
        alignment=2 if right else 0,
    )


def _text(text: str, size: float = 8.5, colour: Color = _INK, *, bold: bool = False, right: bool = False) -> Paragraph:
    safe = shown(text).replace("&", "&amp;").replace("<", "&lt;")
    return Paragraph(safe, _style(size, colour, bold=bold, right=right))


class _Numbered(Canvas):
    """Writes "page n of m" when all pages are known."""

    foot = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._kept, start=1):
            self.__dict__.update(page)
            self.setFont(_fonts()[0], 7)
            self.setFillColor(_QUIET)
            self.drawString(_MARGIN, 9 * mm, self.foot)
            self.drawRightString(A4[0] - _MARGIN, 9 * mm, f"Page {number} of {len(self._kept)}")
            super().showPage()
        super().save()


def render_pdf(content: Content) -> bytes:
    """The document. Up to MOST_LINES lines are listed."""
    settlement, out = content.settlement, BytesIO()
    foot = f"{settlement.pk} · {settlement.merchant.code} · {settlement.day.isoformat()}"
    canvas = type("Pages", (_Numbered,), {"foot": shown(foot)})
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=f"Settlement {settlement.pk}",
        author="Counterfoil",
        subject=shown(f"{settlement.merchant.name}, {settlement.day.isoformat()}"),
        invariant=1,  # the same settlement makes the same bytes
    )
    frame = Frame(
        _MARGIN, 15 * mm, _WIDTH, A4[1] - 30 * mm, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0
    )
    document.addPageTemplates(PageTemplate(frames=[frame]))
    document.build(_story(content), canvasmaker=canvas)
    return out.getvalue()


def _story(content: Content) -> list[Flowable]:
    story = [*_head(content), Spacer(0, 6 * mm), _calculation(content)]
    for title, first, rows in (
        ("By payment type", "Payment type", [(row.name.upper(), row) for row in content.by_method()]),
        ("By day", "Day", [(row.name, row) for row in content.by_day()]),
    ):
        if rows:
            story += [_title(title), _summaries(content, first, rows)]
    return story + _lines(content)


def _title(text: str) -> Flowable:
    title = _text(text, 10.5, _DEEP, bold=True)
    title.style.spaceBefore, title.style.spaceAfter, title.style.keepWithNext = 7 * mm, 2 * mm, 1
    return title


def _head(content: Content) -> list[Flowable]:
    settlement, merchant = content.settlement, content.settlement.merchant
    first, last = content.local(settlement.period_from), content.local(settlement.period_to)
    carried = settlement.state == SettlementState.CARRIED
    amount = f"{amount_text(settlement.net)} {content.currency}"
    band = Table(
        [
            [_text("Settlement statement", 16, white, bold=True), _text(amount, 16, white, bold=True, right=True)],
            [
                _text(merchant.name, 10, white),
                _text("carried over to the next settlement" if carried else "net amount", 8, white, right=True),
            ],
        ],
        colWidths=[_WIDTH * 0.58, _WIDTH * 0.42],
        style=[
            ("BACKGROUND", (0, 0), (-1, -1), _ACCENT),
            ("LEFTPADDING", (0, 0), (-1, -1), 12),
            ("RIGHTPADDING", (0, 0), (-1, -1), 12),
            ("TOPPADDING", (0, 0), (-1, 0), 10),
            ("BOTTOMPADDING", (0, 1), (-1, 1), 12),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ],
    )
    known = [
        ("Settlement", settlement.pk),
        ("Merchant", f"{merchant.code}{'' if settlement.live else ' (test data, no real money)'}"),
        ("Period", f"{first:%-d %b %Y %H:%M} to {last:%-d %b %Y %H:%M}, {content.zone.key}"),
        ("Closing day", day_text(settlement.day)),
        ("Payout", "None: the amount is carried over" if carried else _payout(content)),
        ("State", settlement.get_state_display()),
    ]
    cells = [[_text(name, 7.5, _QUIET), _text(value, 8.5)] for name, value in known]
    pairs = [[*left, *right] for left, right in zip(cells[::2], cells[1::2], strict=True)]
    facts = Table(
        pairs,
        colWidths=[_WIDTH * part for part in (0.11, 0.45, 0.11, 0.33)],
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ],
    )
    return [band, Spacer(0, 4 * mm), facts]


def _payout(content: Content) -> str:
    payout = content.settlement.payouts.exclude(state=PayoutState.CANCELLED).first()
    if payout is not None and payout.state == PayoutState.PAID and payout.paid_at is not None:
        when = f"Paid on {day_text(payout.paid_at.astimezone(content.zone).date())}"
    else:
        when = f"Due on {day_text(content.settlement.pay_on)}"
    return f"{when}, reference {payout.end_to_end_id}" if payout else when


def _calculation(content: Content) -> Flowable:
    regular, strong = _fonts()
    parts = content.parts()
    rows = [
        [
            ("      " if part.of else "") + part.name,
            "" if part.of else _amount(content, part.minor),
            _amount(content, part.minor) if part.of else "",
        ]
        for part in parts
    ]
    rows = [[row[0], row[2], row[1]] for row in rows] + [
        ["Net", "", f"{_amount(content, content.settlement.net_minor)} {content.currency}"]
    ]
    style: list[Any] = [
        *_plain(regular, 9),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, _RULE),
        ("FONT", (0, -1), (-1, -1), strong, 11),
        ("LINEABOVE", (0, -1), (-1, -1), 1.2, _ACCENT),
        ("TEXTCOLOR", (0, -1), (-1, -1), _DEEP),
        ("TOPPADDING", (0, -1), (-1, -1), 6),
    ]
    for number, part in enumerate(parts):
        if part.of:
            style += [("TEXTCOLOR", (0, number), (-1, number), _QUIET), ("FONTSIZE", (0, number), (-1, number), 8)]
        elif not part.minor:
            style.append(("TEXTCOLOR", (0, number), (-1, number), _QUIET))
    return Table(rows, colWidths=[_WIDTH * 0.5, _WIDTH * 0.22, _WIDTH * 0.28], style=style)


def _plain(font: str, size: float) -> list[Any]:
    return [
        ("FONT", (0, 0), (-1, -1), font, size),
        ("TEXTCOLOR", (0, 0), (-1, -1), _INK),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 3.2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.8),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ]


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float],
    *,
    texts: int,
    size: float,
    total: bool = False,
) -> Table:
    """A table whose head comes again on every page; the first `texts` columns are text, the others amounts."""
    regular, strong = _fonts()
    style = [
        *_plain(regular, size),
        ("FONT", (0, 0), (-1, 0), strong, size - 0.5),
        ("TEXTCOLOR", (0, 0), (-1, 0), _DEEP),
        ("BACKGROUND", (0, 0), (-1, 0), _SOFT),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, _ACCENT),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, _RULE),
        ("ALIGN", (texts, 0), (-1, -1), "RIGHT"),
    ]
    if total:
        style += [("FONT", (0, -1), (-1, -1), strong, size), ("LINEABOVE", (0, -1), (-1, -1), 0.8, _ACCENT)]
    return Table([heads, *rows], colWidths=[_WIDTH * width for width in widths], repeatRows=1, style=style)


def _amount(content: Content, minor: int) -> str:
    return amount_text(content.money(minor)).replace("-", "−") if minor else "–"


_HEADS = ("Payments", "Refunds", "Gross", "Given back", "Disputes", "Fees", "Adjusted", "Net")


def _summaries(content: Content, first: str, rows: Sequence[tuple[str, Summary]]) -> Table:
    def cells(name: str, found: Sequence[Summary]) -> list[str]:
        def total(field: str) -> int:
            return sum(getattr(row, field) for row in found)

        signed = [
            total("gross_minor"),
            -total("refund_minor"),
            -total("dispute_minor"),
            -total("fee_minor"),
            total("adjustment_minor"),
            total("net_minor"),
        ]
        return [
            name,
            f"{total('payments'):,}",
            f"{total('refunds'):,}",
            *(_amount(content, minor) for minor in signed),
        ]

    body = [cells(name, [row]) for name, row in rows]
    several = len(rows) > 1
    if several:
        body.append(cells("Total", [row for _, row in rows]))
    return _table(
        (first, *_HEADS), body, (0.13, 0.09, 0.08, 0.14, 0.12, 0.1, 0.11, 0.09, 0.14), texts=1, size=7.5, total=several
    )


def _lines(content: Content) -> list[Flowable]:
    count = content.settlement.line_count
    if not count:
        return []
    if count > MOST_LINES:
        note = f"The {count:,} lines of this settlement are in its CSV and XLSX."
        return [_title("Lines"), _text(note, 8.5, _QUIET)]
    rows = [
        [
            f"{content.local(line.at):%d %b %H:%M:%S}",
            line.type.capitalize(),
            _cut(line.reference or line.transaction_id, 32),
            line.method.upper(),
            _amount(content, line.gross_minor - line.refund_minor - line.dispute_minor + line.adjustment_minor),
            _amount(content, -line.fee_minor),
            _amount(content, line.net_minor),
        ]
        for line in content.lines()
    ]
    heads = ("Booked", "What", "Your reference", "Type", "Amount", "Fee", "Net")
    return [
        _title(f"Lines ({count:,})"),
        _table(heads, rows, (0.15, 0.11, 0.29, 0.08, 0.14, 0.1, 0.13), texts=4, size=7),
    ]


def _cut(text: str, length: int) -> str:
    safe = shown(text)
    return safe if len(safe) <= length else safe[: length - 1] + "…"
