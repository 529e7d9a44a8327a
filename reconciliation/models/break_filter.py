"""Filters of the break queue that an operator has given a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class BreakFilter(models.Model):
    """`query` is the query string of the queue's list. Each person has their own."""

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="break_filters")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "break_filter"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="break_filter_name_once_per_person")]

    def __str__(self) -> str:
        return self.name
