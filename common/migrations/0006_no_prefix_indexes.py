"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import WithoutPrefixIndexes


class Migration(migrations.Migration):
    atomic = False  # the indexes go beside the payments that go on
    dependencies = [("common", "0005_as_agreed")]
    operations = [WithoutPrefixIndexes("fact")]
