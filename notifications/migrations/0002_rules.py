"""Attempts are append-only; deliveries move only where the model says, and stay."""

from django.db import migrations

from common.triggers import append_only, listed_moves, no_delete
from notifications.models.delivery import DELIVERY_MOVES


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial"), ("common", "0002_rules")]
    operations = [
        append_only("webhook_attempt"),
        no_delete("webhook_delivery"),
        no_delete("webhook_endpoint"),
        listed_moves("webhook_delivery", "state", DELIVERY_MOVES),
    ]
