"""A payout of a break is looked up whole: no second index of the key for prefixes."""

from django.db import migrations

from common.indexes import WithoutPrefixIndexes


class Migration(migrations.Migration):
    atomic = False  # the indexes go beside the payments that go on
    dependencies = [("reconciliation", "0033_break_payout")]
    operations = [WithoutPrefixIndexes("reconciliation_break")]
