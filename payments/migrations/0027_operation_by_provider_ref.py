"""A line that names a provider's reference, and a person who searches for one, find the operation through an index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the index is built beside the payments that go on
    dependencies = [
        ("payments", "0026_fee_plan_agreed_rules"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="operation",
            index=models.Index(
                condition=models.Q(("provider_reference", ""), _negated=True),
                fields=["provider_reference"],
                name="operation_by_provider_ref",
            ),
        ),
    ]
