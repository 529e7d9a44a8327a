"""Bank holidays: a page for each calendar, whose list is pasted or uploaded, and holds when a second person has agreed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from common.console import html
from common.console.agreed import AgreedAdmin, before_after
from common.console.columns import column, related
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.waiting import waits
from common.models import Proposal
from reconciliation.models import BankCalendar
from reconciliation.parsers.holidays import BadHolidays, parse_holidays
from reconciliation.services.settings import CALENDAR

_FILE_BYTES = 256 * 1024


class HolidaysField(forms.CharField):
    """Lines of `date,name`, shown in order."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 12, "placeholder": "2026-02-17,Chinese New Year"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{day},{name}" for day, name in sorted(value.items())) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        return _read(str(value or ""))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return True


class CalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a file has is added to what is written."""

    holidays = HolidaysField(required=False, help_text="All of them, a line for each: date and name.")
    file = forms.FileField(
        required=False, widget=UnfoldAdminFileFieldWidget, label="Or a CSV file", help_text="Its days are added."
    )
    field_order = ("code", "name", "holidays", "file")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (file := cleaned.get("file")) is None or "holidays" not in cleaned:
            return cleaned
        try:
            cleaned["holidays"] = cleaned["holidays"] | _read(file.read(_FILE_BYTES).decode())
        except UnicodeDecodeError:
            self.add_error("file", "The file is not UTF-8.")
        except forms.ValidationError as exc:
            self.add_error("file", exc)
        return cleaned


def _read(text: str) -> dict[str, str]:
    try:
        return parse_holidays(text)
    except BadHolidays as exc:
        raise forms.ValidationError(exc.problems) from exc


@column("next_days", "Next holidays")
def coming(calendar: BankCalendar) -> Any:
    today = timezone.localdate().isoformat()
    found = [(day, name) for day, name in sorted(calendar.holidays.items()) if day >= today]
    return ", ".join(f"{day} {name}" for day, name in found[:3]) or "None is known: add next year's"


@column("days_table", "Holidays")
def days(calendar: BankCalendar) -> Any:
    return (
        html.table(("Day", "Name"), sorted(calendar.holidays.items(), reverse=True))
        if calendar.holidays
        else html.EMPTY
    )


@admin.register(BankCalendar)
class BankCalendarAdmin(AgreedAdmin):
    found_by = ("code",)
    empty_text = "Without a calendar, only Saturdays and Sundays are no business days. Propose one and name it in terms and sources."
    setting = CALENDAR
    form = CalendarForm
    asks = ("name", "holidays")
    asks_new = ("code", "name", "holidays")
    actions_list = ("propose_new",)
    actions_detail = ("propose_change",)
    list_display = ("code", "name", coming)
    search_fields = ("=code", "name")
    search_help_text = "Code or name"
    ordering = ("code",)
    details = (
        (None, ("code", "name")),
        ("Days", (days,)),
        ("Agreed by", (related("proposal", "Two people"), waits(CALENDAR.subject, about=CALENDAR.about))),
    )


def _proposed(proposal: Proposal) -> Any:
    """The days that come and go, one by one."""
    before, after = (proposal.parameters["before"] or {}).get("holidays", {}), proposal.parameters["row"]["holidays"]
    changed = sorted(day for day in before.keys() | after.keys() if before.get(day) != after.get(day))
    rows = [(day, before.get(day, html.EMPTY), after.get(day, html.EMPTY)) for day in changed]
    shown = before_after(proposal, BankCalendar, hide=("holidays",))
    return format_html("{}{}", shown, html.table(("Day", "Now", "Then"), rows)) if rows else shown


PROPOSED[CALENDAR.kind] = _proposed
SUBJECT_PAGES[CALENDAR.subject] = lambda code: reverse("admin:reconciliation_bankcalendar_change", args=[code])
