"""How often a bank refused a payout's file; a file of unknown fate that is posted nowhere any more may be handed over."""

from __future__ import annotations

from django.db import migrations, models

from common.triggers import listed_moves
from reconciliation.models.payout import FILE_MOVES

_BEFORE = {move: fact for move, fact in FILE_MOVES.items() if move != ("UNKNOWN", "ACCEPTED")}


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0048_payouts_paid_from_elsewhere")]

    operations = [
        migrations.AddField("payout", "refusals", models.PositiveSmallIntegerField(default=0)),
        migrations.RunSQL(
            listed_moves("payout_file", "state", FILE_MOVES).sql, listed_moves("payout_file", "state", _BEFORE).sql
        ),
    ]
