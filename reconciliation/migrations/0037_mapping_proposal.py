"""Which proposal a description of columns was agreed on by."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0036_breaks_that_wait")]
    operations = [
        migrations.AddField(
            "sourcemapping",
            "proposal",
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="common.proposal",
            ),
        )
    ]
