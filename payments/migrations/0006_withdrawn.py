"""What nobody has begun to pay may be cancelled."""

from django.db import migrations

from common.triggers import listed_moves
from payments.states import PAYMENT_MOVES, TRANSACTION_MOVES


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_account_rules")]
    operations = [
        listed_moves("transaction", "status", TRANSACTION_MOVES),
        listed_moves("payment", "state", PAYMENT_MOVES),
    ]
