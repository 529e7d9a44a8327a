"""Fees that providers kept beside their contracts, claimed back."""

import common.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0008_settlement_rules"),
    ]

    operations = [
        migrations.CreateModel(
            name="FeeClaim",
            fields=[
                ("id", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=20)),
                ("live", models.BooleanField()),
                ("currency", models.CharField(max_length=3, validators=[common.fields.validate_currency])),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("line_count", models.PositiveIntegerField()),
                ("claimed_minor", models.BigIntegerField()),
                ("reason", models.CharField(max_length=255)),
                ("created_by", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "fee_claim",
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("claimed_minor__gt", 0), ("line_count__gt", 0)),
                        name="fee_claim_of_more_than_nothing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("first_day"))), name="fee_claim_days_forwards"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FeeClaimLine",
            fields=[
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="fee_claim_line",
                        serialize=False,
                        to="reconciliation.statementline",
                    ),
                ),
                ("agreed_minor", models.BigIntegerField()),
                ("charged_minor", models.BigIntegerField()),
                (
                    "break_item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.break"
                    ),
                ),
                (
                    "claim",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="reconciliation.feeclaim"
                    ),
                ),
            ],
            options={
                "db_table": "fee_claim_line",
                "ordering": ["claim", "line"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("charged_minor__gt", models.F("agreed_minor"))),
                        name="fee_claim_line_charged_too_much",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FeeClaimRefund",
            fields=[
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="fee_claim_refund",
                        serialize=False,
                        to="reconciliation.statementline",
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("reason", models.CharField(max_length=255)),
                ("created_by", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField()),
                (
                    "claim",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="reconciliation.feeclaim",
                    ),
                ),
            ],
            options={
                "db_table": "fee_claim_refund",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)), name="fee_claim_refund_positive"
                    )
                ],
            },
        ),
    ]
