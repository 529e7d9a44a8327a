"""A payout that came back may have left once more, as two people say of the bank's line: it is paid then, and so is its settlement."""

from django.db import migrations

from common.triggers import listed_moves
from reconciliation.models.payout import PAYOUT_MOVES
from reconciliation.models.settlement import SETTLEMENT_MOVES


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0051_disputes_remembered")]
    operations = [
        migrations.RunSQL(listed_moves("payout", "state", PAYOUT_MOVES).sql, migrations.RunSQL.noop),
        migrations.RunSQL(listed_moves("settlement", "state", SETTLEMENT_MOVES).sql, migrations.RunSQL.noop),
    ]
