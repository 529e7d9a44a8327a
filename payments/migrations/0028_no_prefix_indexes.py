"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import WithoutPrefixIndexes


class Migration(migrations.Migration):
    atomic = False  # the indexes go beside the payments that go on
    dependencies = [("payments", "0027_operation_by_provider_ref")]
    operations = [
        WithoutPrefixIndexes(
            "transaction", "payment", "operation", "refund", "provider_event", "journal_entry", "posting", "fee_charge"
        )
    ]
