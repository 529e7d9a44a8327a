"""What fails by itself is counted, and becomes a question for a person."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0019_recorded_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="failures",
            field=models.PositiveSmallIntegerField(default=0, db_default=0),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="failures",
            field=models.PositiveSmallIntegerField(default=0, db_default=0),
        ),
    ]
