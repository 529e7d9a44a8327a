"""Closed days: what was signed off, and that it was opened again. One row for each closing and reopening; the last one of a day decides.

The database keeps a closed day as it is (migration 0006): no line, match or break of it is added or changed. What comes later belongs to the
next open day, or needs a reopening by two people.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field
from common.models import Proposal


class CloseState(models.TextChoices):
    CLOSED = "CLOSED", "Closed"
    REOPENED = "REOPENED", "Opened again"


class DayClose(models.Model):
    """A closing (odd `number`) or a reopening (even) of a source's day in one mode. Written once.

    `is_clean`: every file was in and nothing was open; otherwise two people signed, and `carried` breaks went to the next open day.
    `figures`: what was true at that moment (services.day_figures).
    """

    id = id_field()
    provider = models.CharField(max_length=20)
    live = models.BooleanField()
    day = models.DateField()
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=CloseState)
    is_clean = models.BooleanField()
    carried = models.PositiveIntegerField(default=0)
    figures = models.JSONField(default=dict)
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=500, blank=True, default="")
    at = models.DateTimeField()
    last_line_id = models.BigIntegerField(default=0)  # set by the database: no line of the day has a higher one

    class Meta:
        db_table = "day_close"
        verbose_name_plural = "day closings"
        ordering = ["-at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "live", "day", "number"], name="day_close_in_turn"),
            models.CheckConstraint(condition=Q(state__in=CloseState.values), name="day_close_state_known"),
            models.CheckConstraint(
                condition=Q(is_clean=True, carried=0, state=CloseState.CLOSED) | Q(is_clean=False),
                name="day_close_clean_carries_nothing",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="day_close_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} {self.get_state_display().lower()}"


# The last row of each day: what holds.
LAST = ~models.Exists(
    DayClose.objects.filter(
        provider=models.OuterRef("provider"),
        live=models.OuterRef("live"),
        day=models.OuterRef("day"),
        number__gt=models.OuterRef("number"),
    )
)
