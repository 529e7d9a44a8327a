"""How much may be written off: a row for each currency, instead of a number in the environment for all of them."""

import common.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0008_audit_by_request_and_person"),
        ("reconciliation", "0044_one_waiting_page"),
    ]

    operations = [
        migrations.CreateModel(
            name="WriteOffLimit",
            fields=[
                (
                    "currency",
                    models.CharField(
                        max_length=3, primary_key=True, serialize=False, validators=[common.fields.validate_currency]
                    ),
                ),
                ("limit_minor", models.PositiveBigIntegerField(verbose_name="Limit, minor units")),
                (
                    "proposal",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="common.proposal",
                    ),
                ),
            ],
            options={
                "verbose_name": "write-off limit",
                "db_table": "write_off_limit",
                "ordering": ["currency"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("limit_minor__lte", 1000000000000000)), name="write_off_limit_is_one"
                    )
                ],
            },
        ),
    ]
