"""What a provider said is kept as it was said; what was concluded from it is never deleted."""

from django.db import migrations

from common.triggers import append_only, listed_moves, no_delete
from reconciliation.models.statement import STATEMENT_MOVES


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0001_initial"), ("common", "0002_rules")]
    operations = [
        append_only("statement_line"),
        append_only("statement_file"),
        no_delete("statement"),
        no_delete("reconciliation_run"),
        no_delete("reconciliation_match"),
        no_delete("reconciliation_break"),
        listed_moves("statement", "state", STATEMENT_MOVES),
    ]
