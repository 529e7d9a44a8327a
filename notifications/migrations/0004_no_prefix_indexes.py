"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import WithoutPrefixIndexes


class Migration(migrations.Migration):
    atomic = False  # the indexes go beside the payments that go on
    dependencies = [("notifications", "0003_one_index_per_purpose")]
    operations = [WithoutPrefixIndexes("webhook_delivery")]
