"""Columns and read-only fields for the lists and pages of the console. Each makes a callable that Django's admin takes by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from common.console import html

Column = Callable[[Any], Any]


def column(name: str, label: str, *, order: str | None = None) -> Callable[[Column], Column]:
    """Name and label a callable; `order` makes the column sortable. The name ends in the CSS class of the cell."""

    def named(read: Column) -> Column:
        read.__name__ = name
        read.short_description = label  # type: ignore[attr-defined]
        if order is not None:
            read.admin_order_field = order  # type: ignore[attr-defined]
        return read

    return named


def value_of(row: Any, path: str) -> Any:
    """The attribute at `path` ("payment__transaction_id"), None when something on the way is None."""
    return reduce(lambda found, name: getattr(found, name) if found is not None else None, path.split("__"), row)


def money(field: str, label: str, *, sortable: bool = False) -> Column:
    """An amount with the row's own currency."""

    @column(f"{field}_money", label, order=field if sortable else None)
    def read(row: Any) -> Any:
        return html.money(getattr(row, field), row.currency)

    return read


def day(field: str, label: str) -> Column:
    """A date, or the day of a time in the operator's zone, in one line."""

    @column(f"{field}_day", label, order=field)
    def read(row: Any) -> Any:
        found = value_of(row, field)
        if found is None:
            return html.EMPTY
        at = timezone.localtime(found) if isinstance(found, datetime) else found
        return format_html('<span class="cf-nowrap">{}</span>', date_format(at, "j M Y"))

    return read


def when(field: str, label: str, *, sortable: bool = False) -> Column:
    @column(f"{field}_moment", label, order=field if sortable else None)
    def read(row: Any) -> Any:
        return html.moment(value_of(row, field))

    return read


def state(field: str, label: str = "State") -> Column:
    @column(f"{field}_badge", label)
    def read(row: Any) -> Any:
        shown = getattr(row, f"get_{field}_display", None)
        return html.badge(getattr(row, field), shown() if shown else "")

    return read


def mode(path: str = "live") -> Column:
    """Live or test."""

    @column("mode_badge", "Mode")
    def read(row: Any) -> Any:
        found = value_of(row, path)
        return html.EMPTY if found is None else html.mode(found)

    return read


def reference(field: str, label: str) -> Column:
    """A reference that can be copied."""

    @column(f"{field}_reference", label)
    def read(row: Any) -> Any:
        return html.copyable(value_of(row, field))

    return read


def related(field: str, label: str, *, text: str = "") -> Column:
    """A link to the related row's page; `text` is the path of what to show, else the row's own name."""

    @column(f"{field.replace('__', '_')}_link", label)
    def read(row: Any) -> Any:
        target = value_of(row, field)
        if target is None:
            return html.EMPTY
        return html.link(html.page_url(target), value_of(row, text) if text else target)

    return read


def pretty(field: str, label: str) -> Column:
    """JSON in lines."""

    @column(f"{field}_json", label)
    def read(row: Any) -> Any:
        return html.pretty_json(getattr(row, field))

    return read
