"""Payments seen from their money: a list of the console, no table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0020_failures"),
        ("reconciliation", "0018_payout_rules"),
    ]

    operations = [
        migrations.CreateModel(
            name="PaymentMoney",
            fields=[],
            options={
                "verbose_name": "payment's money",
                "verbose_name_plural": "where is the money",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("payments.transaction",),
        ),
    ]
