"""What was claimed from a provider stays as it was sent."""

from django.db import migrations

from common.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0009_fee_claims")]
    operations = [append_only("fee_claim"), append_only("fee_claim_line"), append_only("fee_claim_refund")]
