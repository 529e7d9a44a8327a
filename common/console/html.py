"""How amounts, times, states and references look, the same on every page. Everything is escaped here and nowhere marked safe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common.money import Money, exponent

EMPTY = "–"

_TONES = {
    "success": "EXECUTED CLOSED COMPLETED CAPTURED SUCCEEDED ACTED DELIVERED IMPORTED PAID DONE REQUESTED ACCEPTED",
    "info": "OPEN AUTHORIZED PROCESSING SENT PENDING RECEIVED LIVE CREATED PAYOUT_PENDING APPROVED PREPARED",
    "primary": "PARTIALLY_REFUNDED REFUNDED",
    "warning": "PENDING_APPROVAL WAITING REOPENED UNKNOWN UNMATCHED LATE_SUCCESS OVERDUE TEST AMBIGUOUS MISSING_AT_PROVIDER MISSING_IN_BOOKS DUPLICATE_LINE"
    " AMOUNT_MISMATCH CURRENCY_MISMATCH STATUS_MISMATCH FEE_MISMATCH",
    "danger": "DECLINED FAILED CONFLICTED CONFLICT REJECTED DEAD REFUSED RETURNED",
}
TONE_OF = {state: tone for tone, states in _TONES.items() for state in states.split()}


def amount_text(amount: Money) -> str:
    """The exact amount with thousands separated, "1,250.50"."""
    return f"{amount.decimal():,}"


def money(minor: int | None, currency: str) -> SafeString | str:
    """ "MYR 100.50", aligned and without a line break."""
    if minor is None:
        return EMPTY
    exponent(currency)
    return format_html(
        '<span class="cf-money"><span class="cf-currency">{}</span> {}</span>',
        currency,
        amount_text(Money(minor, currency)),
    )


def moment(at: datetime | None) -> SafeString | str:
    """The time in the operator's zone; UTC in the title."""
    if at is None:
        return EMPTY
    utc = at.astimezone(UTC)
    return format_html(
        '<time class="cf-time" datetime="{}" title="{}">{}</time>',
        f"{utc:%Y-%m-%dT%H:%M:%S}Z",
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        f"{timezone.localtime(at):%-d %b %Y %H:%M:%S}",
    )


def badge(state: str, text: str = "") -> SafeString | str:
    """A coloured label of a state."""
    if not state:
        return EMPTY
    return format_html(
        '<span class="cf-badge cf-{}">{}</span>',
        TONE_OF.get(state, "neutral"),
        text or state.replace("_", " ").capitalize(),
    )


def mode(live: bool) -> SafeString | str:
    return badge("LIVE") if live else badge("TEST")


def copyable(text: str | None) -> SafeString | str:
    """A reference with a button that copies it."""
    if not text:
        return EMPTY
    return format_html(
        '<span class="cf-ref"><code>{}</code><button type="button" class="cf-copy" data-copy="{}" aria-label="Copy {}">'
        '<span class="material-symbols-outlined">content_copy</span></button></span>',
        text,
        text,
        text,
    )


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="cf-link" href="{}">{}</a>', url, text)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, short: bool = False) -> SafeString:
    """A small table; on a phone each row becomes a block with its heads beside the values, unless it is `short`: a name and a value."""
    rows = list(rows)
    sides = ["cf-right" if not short and _is_money(row[at] for row in rows) else "" for at in range(len(heads))]
    return format_html(
        '<div class="cf-scroll"><table class="cf-table{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        " cf-table-short" if short else "",
        format_html_join("", '<th class="{}">{}</th>', zip(sides, heads, strict=True)),
        format_html_join(
            "",
            "<tr>{}</tr>",
            (
                (format_html_join("", '<td class="{}" data-label="{}">{}</td>', zip(sides, heads, row, strict=True)),)
                for row in rows
            ),
        ),
    )


def _is_money(cells: Iterable[object]) -> bool:
    """Whether a column is of amounts, which stand under one another."""
    said = [str(cell) for cell in cells if cell != EMPTY]
    return bool(said) and all(cell.startswith('<span class="cf-money"') for cell in said)


def cut_off(shown: int, count: int, where: str = "") -> str:
    """What stands under a list that does not show all, "The first 20 of 350."; nothing under one that does. `where` all of them are."""
    return f"The first {shown:,} of {count:,}{f'; {where}' if where else ''}." if count > shown else ""


def pretty_json(value: object) -> SafeString | str:
    """JSON in lines."""
    if not value:
        return EMPTY
    return format_html('<pre class="cf-pre">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


def page_url(row: Model) -> str:
    """The console page of a row."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def list_url(model: type[Model]) -> str:
    """The console list of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def amounts(minor: Mapping[str, int]) -> SafeString | str:
    """Signed amounts of several currencies, one a line."""
    shown = [(money(value, currency),) for currency, value in sorted(minor.items()) if value]
    return format_html_join("", "<div>{}</div>", shown) if shown else EMPTY
