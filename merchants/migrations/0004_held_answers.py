"""An answer may be held back after its effect: who repeats meanwhile is told to wait."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("merchants", "0003_users")]
    operations = [
        migrations.AddField("idempotencyrecord", "held_until", models.DateTimeField(blank=True, null=True)),
    ]
