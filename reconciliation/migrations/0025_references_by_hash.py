"""References that are checked once per statement: by a plan for as many rows as there are, so that a million are hashed and not looked up one by one."""

from django.db import migrations

from common.triggers import set_wise_reference

REFERENCES = (
    ("statement_line", "statement_id", "statement"),
    ("statement_line", "provider_account_id", "provider_account"),
    ("reconciliation_match", "run_id", "reconciliation_run"),
    ("reconciliation_match", "group_id", "reconciliation_match_group"),
    ("reconciliation_match", "line_id", "statement_line"),
    ("reconciliation_match", "operation_id", "operation"),
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0024_settlements_of_a_day_that_goes_on")]

    operations = [
        migrations.RunSQL(set_wise_reference(*reference).sql, migrations.RunSQL.noop) for reference in REFERENCES
    ]
