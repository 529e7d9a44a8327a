"""The queue of open breaks is read in its order, a page at a time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # beside the payments that go on
    dependencies = [("reconciliation", "0053_limit_counts_differences")]
    operations = [
        AddIndexConcurrently(
            model_name="break",
            index=models.Index(
                condition=Q(resolved_at=None), fields=["first_seen_at", "id"], name="reconciliation_break_queue"
            ),
        ),
    ]
