"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_one_index_per_purpose")]
    operations = [without_prefix_indexes("webhook_delivery")]
