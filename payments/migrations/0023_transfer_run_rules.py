"""What became of a transfer in a run is never rewritten, and no run is deleted."""

from django.db import migrations

from common.triggers import append_only, fixed_columns, no_delete


class Migration(migrations.Migration):
    dependencies = [("payments", "0022_transfer_runs")]
    operations = [
        append_only("transfer_run_item"),
        no_delete("transfer_run"),
        fixed_columns("transfer_run", ["requested_by", "reason", "requested_at"]),
    ]
