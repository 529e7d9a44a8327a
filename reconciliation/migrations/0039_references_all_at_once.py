"""References of many rows are planned for all of them, not for the first that is missing: so a run may say what a look-up costs."""

from importlib import import_module

from django.db import migrations

from common.triggers import set_wise_reference

REFERENCES = (
    *import_module("reconciliation.migrations.0025_references_by_hash").REFERENCES,
    ("settlement_line", "entry_id", "journal_entry"),
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0038_mapping_rules")]

    operations = [
        migrations.RunSQL(set_wise_reference(*reference).sql, migrations.RunSQL.noop) for reference in REFERENCES
    ]
