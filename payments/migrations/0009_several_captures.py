"""A capture may leave the rest of its authorisation reserved; whether it does is part of what was asked for."""

from django.db import migrations, models

from common.triggers import fixed_columns

_FIXED = ["payment_id", "refund_id", "kind", "reference", "currency", "amount_minor"]


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_ledger_account_kinds")]
    operations = [
        migrations.AddField("operation", "final", models.BooleanField(default=True)),
        migrations.AddConstraint(
            "operation",
            models.CheckConstraint(
                condition=models.Q(final=True) | models.Q(kind="CAPTURE"), name="operation_only_captures_go_on"
            ),
        ),
        migrations.RunSQL("DROP TRIGGER operation_fixed_columns ON operation", fixed_columns("operation", _FIXED).sql),
        fixed_columns("operation", [*_FIXED, "final"]),
    ]
