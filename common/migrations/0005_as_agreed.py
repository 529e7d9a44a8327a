"""Rows that are only what two people agreed on, column by column; what they are about may have a longer name."""

from django.db import migrations, models

from common.triggers import INSTALL_AS_AGREED, fixed_columns

_ASKED = "kind subject_type subject_id merchant_id summary parameters pins permission reason proposed_by_id proposed_at expires_at"
_FIXED = fixed_columns("proposal", _ASKED.split())  # lifted meanwhile, because the trigger names the column


class Migration(migrations.Migration):
    dependencies = [("common", "0004_proposal_rules")]
    operations = [
        migrations.RunSQL(_FIXED.reverse_sql, _FIXED.sql),
        migrations.AlterField("proposal", "subject_id", models.CharField(max_length=100)),
        _FIXED,
        INSTALL_AS_AGREED,
    ]
