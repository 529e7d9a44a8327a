"""A payout that the bank does not show is a break. Reversible as long as there is none; the index is of open breaks, so it is made in no time."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0005_as_agreed"),
        ("payments", "0027_operation_by_provider_ref"),
        ("reconciliation", "0032_settlement_line_entries"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="break",
            name="reconciliation_break_open_once",
        ),
        migrations.RemoveConstraint(
            model_name="break",
            name="reconciliation_break_of_something",
        ),
        migrations.AddField(
            model_name="break",
            name="payout",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="breaks",
                to="reconciliation.payout",
            ),
        ),
        migrations.AddConstraint(
            model_name="break",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at", None)),
                fields=("kind", "line", "operation", "bank_line", "remittance", "payout"),
                name="reconciliation_break_open_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="break",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("line__isnull", False),
                    ("operation__isnull", False),
                    ("bank_line__isnull", False),
                    ("remittance__isnull", False),
                    ("payout__isnull", False),
                    _connector="OR",
                ),
                name="reconciliation_break_of_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="break",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("payout", None),
                    models.Q(
                        ("bank_line", None),
                        ("kind", "MISSING_AT_PROVIDER"),
                        ("line", None),
                        ("operation", None),
                        ("remittance", None),
                    ),
                    _connector="OR",
                ),
                name="reconciliation_break_of_a_payout_alone",
            ),
        ),
    ]
