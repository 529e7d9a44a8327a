"""What came in is kept; a line that could not be read is put right or discarded by two, and never changes otherwise."""

from django.db import migrations

from common.triggers import append_only, fixed_columns, listed_moves, needs_approval, no_delete
from reconciliation.models.quarantine import QUARANTINE_MOVES
from reconciliation.models.statement import CONTROLS_MOVES


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0015_file_chunks"), ("common", "0004_proposal_rules")]
    operations = [
        migrations.RemoveField("statementfile", "compressed"),
        append_only("statement_file_chunk"),
        append_only("bank_balance"),
        append_only("reconciliation_source_mapping"),
        no_delete("reconciliation_source"),
        no_delete("bank_account"),
        no_delete("quarantined_line"),
        listed_moves("statement", "controls", CONTROLS_MOVES, name="controls_moves"),
        listed_moves("quarantined_line", "state", QUARANTINE_MOVES),
        fixed_columns("quarantined_line", ("statement_id", "number", "cells", "reason", "created_at")),
        needs_approval(
            "quarantined_line",
            "proposal_id",
            ("quarantine.discard",),
            when="NEW.proposal_id IS NOT NULL",
            event="INSERT OR UPDATE",
        ),
    ]
