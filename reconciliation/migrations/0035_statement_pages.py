"""A bank's statement in several files: a page waits for the others. Cannot be reversed while a statement is WAITING: import its other pages first."""

from django.db import migrations, models

from common.triggers import listed_moves
from reconciliation.models.statement import STATEMENT_MOVES


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0034_break_payout_index"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="statement",
            name="statement_state_known",
        ),
        migrations.RemoveConstraint(
            model_name="statement",
            name="statement_refused_has_a_reason_and_no_lines",
        ),
        migrations.AddField(
            model_name="statement",
            name="page",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="statement",
            name="state",
            field=models.CharField(
                choices=[("IMPORTED", "Imported"), ("WAITING", "Waits for its other pages"), ("REFUSED", "Refused")],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["IMPORTED", "WAITING", "REFUSED"])), name="statement_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("imported_at__isnull", False), ("reason", ""), ("state", "IMPORTED")),
                    models.Q(
                        ("imported_at", None),
                        ("new_line_count", 0),
                        ("state__in", ["REFUSED", "WAITING"]),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="statement_refused_has_a_reason_and_no_lines",
            ),
        ),
        migrations.RunSQL(
            listed_moves("statement", "state", STATEMENT_MOVES).sql,
            listed_moves("statement", "state", {("REFUSED", "IMPORTED")}).sql,
        ),
    ]
