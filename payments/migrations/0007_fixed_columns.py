"""What was asked for stays as it was asked: whose, how much, in which currency, under which reference."""

from django.db import migrations

from common.triggers import fixed_columns


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_withdrawn")]
    operations = [
        fixed_columns(
            "transaction", ["merchant_id", "live", "method", "currency", "amount_minor", "external_reference"]
        ),
        fixed_columns("payment", ["transaction_id", "currency", "amount_minor", "payment_trans_id"]),
        fixed_columns("operation", ["payment_id", "refund_id", "kind", "reference", "currency", "amount_minor"]),
        fixed_columns("refund", ["transaction_id", "payment_id", "currency", "amount_minor"]),
    ]
