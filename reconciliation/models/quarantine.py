"""Lines of a statement that could not be read: set aside with the reason, until somebody puts them right or two people discard them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.models import Proposal
from reconciliation.models.bank import BankLine
from reconciliation.models.statement import Statement, StatementLine


class QuarantineState(models.TextChoices):
    OPEN = "OPEN", "Not readable"
    FIXED = "FIXED", "Put right"
    DISCARDED = "DISCARDED", "Discarded"


QUARANTINE_MOVES = {
    (QuarantineState.OPEN, QuarantineState.FIXED),
    (QuarantineState.OPEN, QuarantineState.DISCARDED),
}
_S = QuarantineState


class QuarantinedLine(models.Model):
    """One line as it stands in its file. `fixed_cells` is what somebody made of it, and the (bank) line is what that reads as."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="quarantined_lines")
    number = models.PositiveIntegerField()  # in the file
    cells = models.JSONField()  # its columns, as text
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=QuarantineState, default=QuarantineState.OPEN)
    fixed_cells = models.JSONField(null=True, blank=True)
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    bank_line = models.ForeignKey(BankLine, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    fixed_by = models.CharField(max_length=120, blank=True, default="")
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "quarantined_line"
        ordering = ["statement", "number"]
        constraints = [
            models.UniqueConstraint(fields=["statement", "number"], name="quarantined_line_once"),
            models.CheckConstraint(
                condition=Q(state=_S.OPEN, decided_at=None, fixed_cells=None, line=None, bank_line=None, proposal=None)
                | (
                    Q(state=_S.FIXED, decided_at__isnull=False, fixed_cells__isnull=False, proposal=None)
                    & ~Q(fixed_by="")
                    & (Q(line__isnull=False, bank_line=None) | Q(line=None, bank_line__isnull=False))
                )
                | Q(
                    state=_S.DISCARDED,
                    decided_at__isnull=False,
                    fixed_cells=None,
                    line=None,
                    bank_line=None,
                    proposal__isnull=False,
                ),
                name="quarantined_line_fixed_or_discarded_by_two",
            ),
        ]
        indexes = [models.Index(fields=["statement"], condition=Q(state="OPEN"), name="quarantined_line_open")]

    def __str__(self) -> str:
        return f"line {self.number} of {self.statement}"
