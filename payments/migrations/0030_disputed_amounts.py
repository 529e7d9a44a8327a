"""What is charged back of a transaction: counted by the database, and by what is left to refund."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q

_PINNED = """
    CREATE OR REPLACE VIEW refund_batch_pinned AS
    SELECT b.id, b.state, b.content_hash, i.items
    FROM refund_batch b CROSS JOIN LATERAL (
        SELECT coalesce(encode(sha256(convert_to(string_agg(concat_ws(' ', i.number, i.state, i.transaction_id, i.amount_minor, i.currency,
                   t.amount_captured_minor - t.amount_refunded_minor - t.amount_refund_pending_minor{disputed}), ',' ORDER BY i.number), 'UTF8')),
                   'hex'), '') AS items
        FROM refund_batch_item i LEFT JOIN transaction t ON t.id = i.transaction_id
        WHERE i.batch_id = b.id
    ) i
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0029_price_of_an_account")]

    operations = [
        migrations.AddField("transaction", "amount_disputed_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddConstraint(
            "transaction",
            models.CheckConstraint(
                condition=Q(amount_disputed_minor=0)
                | Q(
                    amount_disputed_minor__gt=0,
                    amount_captured_minor__gte=F("amount_refunded_minor")
                    + F("amount_refund_pending_minor")
                    + F("amount_disputed_minor"),
                ),
                name="transaction_refunded_and_disputed_within_captured",
            ),
        ),
        migrations.RunSQL(_PINNED.format(disputed=" - t.amount_disputed_minor"), _PINNED.format(disputed="")),
    ]
