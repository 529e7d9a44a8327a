"""Accounts are never deleted, and their status only moves as listed."""

from django.db import migrations

from common.triggers import listed_moves, no_delete
from payments.states import ACCOUNT_MOVES


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_accounts"), ("common", "0002_rules")]
    operations = [no_delete("account"), listed_moves("account", "status", ACCOUNT_MOVES)]
