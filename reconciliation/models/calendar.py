"""The days on which a country's banks pay nothing, beside Saturdays and Sundays."""

from __future__ import annotations

from datetime import date
from functools import cached_property

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from common.models import Proposal

CALENDAR_AGREED = ("code", "name", "holidays")
_MOST = 5000


class BankCalendar(models.Model):
    """One country's, or one bank's, holidays as two people agreed on them: what is a holiday may be paid a day later without being late.

    `holidays`: {"2026-02-17": "Chinese New Year"}.
    """

    code = models.CharField(
        max_length=20,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9-]*\Z", "Capital letters, digits and -: MY, MY-SWK.")],
    )
    name = models.CharField(max_length=80)
    holidays = models.JSONField(default=dict, blank=True)
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "bank_calendar"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z][A-Z0-9-]*$"), name="bank_calendar_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    def clean(self) -> None:
        if len(self.holidays) > _MOST:
            raise ValidationError(f"More than {_MOST} days.")
        for day, name in self.holidays.items():
            try:
                date.fromisoformat(day)
            except ValueError as exc:
                raise ValidationError(f"{day} is not a date.") from exc
            if not isinstance(name, str) or not 1 <= len(name) <= 80:
                raise ValidationError(f"The name of {day} has 1 to 80 characters.")

    @cached_property
    def days(self) -> frozenset[date]:
        return frozenset(date.fromisoformat(day) for day in self.holidays)


def holidays_of(calendar: BankCalendar | None) -> frozenset[date]:
    """The calendar's days; none without one."""
    return calendar.days if calendar else frozenset()
