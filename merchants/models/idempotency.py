"""The answers that were given under an Idempotency-Key, kept with the effect itself (contracts section 2)."""

from __future__ import annotations

from django.db import models

from merchants.models.merchant import Merchant


class IdempotencyRecord(models.Model):
    """One key of one merchant in live or test mode. Inserted in the statement that has the effect, with the answer's bytes."""

    id = models.BigAutoField(primary_key=True)
    merchant = models.ForeignKey(  # found by idempotency_key_once
        Merchant, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    live = models.BooleanField()
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)  # SHA-256 of method, path and canonical body
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    held_until = models.DateTimeField(
        null=True, blank=True
    )  # the first caller still waits: nobody was given this answer yet
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_record"
        constraints = [models.UniqueConstraint(fields=["merchant", "live", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_by_age")]

    def __str__(self) -> str:
        return self.key
