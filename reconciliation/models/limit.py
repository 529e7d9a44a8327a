"""How much of a difference may vanish without somebody who may write off any."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.fields import validate_currency
from common.models import Proposal
from common.money import Money

LIMIT_AGREED = ("currency", "limit_minor")


class WriteOffLimit(models.Model):
    """The most of a currency that whoever works on breaks may propose to let vanish, as two people agreed. A currency without one: nothing."""

    currency = models.CharField(max_length=3, primary_key=True, validators=[validate_currency])
    limit_minor = models.PositiveBigIntegerField("Limit, minor units")
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "write_off_limit"
        verbose_name = "write-off limit"
        ordering = ["currency"]
        constraints = [models.CheckConstraint(condition=Q(limit_minor__lte=10**15), name="write_off_limit_is_one")]

    def __str__(self) -> str:
        return f"Write-offs up to {Money(self.limit_minor, self.currency).text()}"
