"""The key's constraint finds a merchant's records, too: one index less for each request that has a key."""

import django.db.models.deletion
from django.db import migrations, models

from common.indexes import WithoutForeignKeyIndex


class Migration(migrations.Migration):
    atomic = False  # beside the payments that go on
    dependencies = [("merchants", "0006_words_for_people")]
    operations = [
        WithoutForeignKeyIndex(
            model_name="idempotencyrecord",
            name="merchant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="merchants.merchant",
            ),
        ),
    ]
