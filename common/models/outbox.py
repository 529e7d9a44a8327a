"""Facts: what became true, written in the same database transaction as the change itself (the outbox)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import id_field


class Fact(models.Model):
    """One thing that became true. `sequence` counts the facts of a subject 1, 2, 3, ... without gaps.

    A lower id can commit after a higher one, so nobody reads facts by "id > last seen": `published_at` is the only cursor.
    """

    id = id_field()
    name = models.CharField(max_length=60)  # past tense: payment.captured
    subject_type = models.CharField(max_length=30)
    subject_id = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    merchant_id = models.CharField(max_length=40)
    live = models.BooleanField()
    payload = models.JSONField()  # the subject as it was just after: what webhooks show as `data`
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "fact"
        constraints = [
            models.UniqueConstraint(fields=["subject_id", "sequence"], name="fact_sequence_once_per_subject"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="fact_sequence_from_one"),
        ]
        indexes = [models.Index(fields=["created_at"], condition=Q(published_at=None), name="fact_unpublished")]

    def __str__(self) -> str:
        return f"{self.name} {self.subject_id} #{self.sequence}"
