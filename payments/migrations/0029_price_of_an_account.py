"""The price that a provider account began with stays: another one is a fee plan, which two people agree on."""

from django.db import migrations

from common.triggers import fixed_columns

_FIXED = ("merchant_id", "live", "provider")


class Migration(migrations.Migration):
    dependencies = [("payments", "0028_no_prefix_indexes")]

    operations = [
        migrations.RunSQL(
            fixed_columns("provider_account", (*_FIXED, "fee_basis_points", "fee_fixed_minor")).sql,
            fixed_columns("provider_account", _FIXED).sql,
        )
    ]
