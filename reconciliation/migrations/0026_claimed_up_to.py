"""A settlement says up to which posting its merchant's account is claimed; that is as fixed as its amounts."""

from django.db import migrations, models

from common.triggers import fixed_columns

_FIXED = (
    *("merchant_id", "live", "currency", "terms_id", "day", "period_from", "period_to", "line_count", "gross_minor", "refund_minor"),
    *("dispute_minor", "fee_minor", "fee_percentage_minor", "fee_fixed_minor", "fee_limit_minor", "fee_other_minor"),
    *("reserve_held_minor", "reserve_released_minor", "adjustment_minor", "carried_over_minor", "net_minor"),
    *("reserve_release_on", "carried_from_id", "pay_on", "entry_id"),
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0025_references_by_hash")]
    operations = [
        migrations.AddField("settlement", "claimed_up_to", models.BigIntegerField(default=0)),
        migrations.RunSQL(
            fixed_columns("settlement", (*_FIXED, "claimed_up_to")).sql, fixed_columns("settlement", _FIXED).sql
        ),
    ]
