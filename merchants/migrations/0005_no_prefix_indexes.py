"""What every payment writes is looked up whole: no second index of its keys for prefixes."""

from django.db import migrations

from common.indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("merchants", "0004_held_answers")]
    operations = [without_prefix_indexes("idempotency_record")]
