"""The entries of settlement lines are looked up as those of other tables are (set_wise_reference), and what a night writes has no second index for prefixes."""

from importlib import import_module

from django.db import migrations

from common.indexes import WithoutPrefixIndexes
from common.triggers import set_wise_reference

_BEFORE = import_module("reconciliation.migrations.0022_settlement_line_entries").Migration.operations[0]


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0031_bank_calendar_rules")]
    operations = [
        migrations.RunSQL(_BEFORE.reverse_sql, _BEFORE.sql),
        set_wise_reference("settlement_line", "entry_id", "journal_entry"),
        WithoutPrefixIndexes("settlement_line", "settlement", "reconciliation_break", "reconciliation_match_group"),
    ]
