"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("payments", "0027_operation_by_provider_ref")]
    operations = [
        without_prefix_indexes(
            "transaction", "payment", "operation", "refund", "provider_event", "journal_entry", "posting", "fee_charge"
        )
    ]
