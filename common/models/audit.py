"""Who changed what, when and why: append-only rows, sealed into a hash chain by a background job.

The chain is made in a second table, so that payments never wait for one another at the head of the chain, and a record itself is
never updated.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

OPERATOR = "operator:"  # how a person's actions begin in `actor`


class AuditRecord(models.Model):
    """One change (or one refused attempt) by one actor."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(
        max_length=120
    )  # "merchant:kedai/key:cfk_1a2b", "operator:aisha", "system:sweep", "provider:fpx"
    action = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=30)
    subject_id = models.CharField(max_length=40)
    version = models.PositiveIntegerField(null=True)  # of the subject after the change; null where nothing changed
    merchant_id = models.CharField(max_length=40, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    changes = models.JSONField(default=dict)  # {"status": ["PENDING", "COMPLETED"]}

    class Meta:
        db_table = "audit_record"
        constraints = [models.UniqueConstraint(fields=["subject_id", "version"], name="audit_one_record_per_version")]
        indexes = [
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["request_id"], condition=~Q(request_id=""), name="audit_by_request"),
            # Of people only: payments write as merchants, providers and the system, and pay nothing for it.
            models.Index(fields=["actor"], condition=Q(actor__startswith=OPERATOR), name="audit_by_person"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.subject_id}"


class AuditLink(models.Model):
    """The place of one audit record in the hash chain."""

    position = models.BigIntegerField(primary_key=True)
    record = models.OneToOneField(AuditRecord, on_delete=models.PROTECT, related_name="link")
    previous_hash = models.BinaryField(max_length=32, unique=True)  # unique: the chain cannot fork
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_link"

    def __str__(self) -> str:
        return f"#{self.position} {bytes(self.hash).hex()[:12]}"
