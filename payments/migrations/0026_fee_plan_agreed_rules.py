"""A merchant's price is what two people agreed on; prices that were there before stay as they are."""

from django.db import migrations

from common.triggers import as_agreed

_COLUMNS = ("id", "merchant_id", "live", "method", "currency", "version", "tiers", "minimum_minor", "maximum_minor")


class Migration(migrations.Migration):
    dependencies = [("payments", "0025_fee_plans_agreed"), ("common", "0005_as_agreed")]
    operations = [as_agreed("fee_plan", "fee_plan.set", _COLUMNS)]
