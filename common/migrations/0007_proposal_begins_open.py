"""A proposal begins open: what was never asked cannot be there as decided."""

from django.db import migrations

from common.triggers import PROPOSAL_BEGINS_OPEN


class Migration(migrations.Migration):
    dependencies = [("common", "0006_no_prefix_indexes")]
    operations = [PROPOSAL_BEGINS_OPEN]
