"""A payout of a break is looked up whole: no second index of the key for prefixes."""

from django.db import migrations

from common.indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0033_break_payout")]
    operations = [without_prefix_indexes("reconciliation_break")]
