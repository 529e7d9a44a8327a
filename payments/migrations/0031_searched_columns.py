"""What a person types is found through an index, a day of a list through a small one; three keys lose an index that another begins with."""

import django.db.models.deletion
from django.contrib.postgres.indexes import BrinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Upper

from common.indexes import WithoutForeignKeyIndex


class Migration(migrations.Migration):
    atomic = False  # beside the payments that go on
    dependencies = [("payments", "0030_disputed_amounts")]
    operations = [
        WithoutForeignKeyIndex(
            model_name="transaction",
            name="merchant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transactions",
                to="merchants.merchant",
            ),
        ),
        WithoutForeignKeyIndex(
            model_name="payment",
            name="transaction",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="payments.transaction",
            ),
        ),
        WithoutForeignKeyIndex(
            model_name="refund",
            name="transaction",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="payments.transaction",
            ),
        ),
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(
                fields=["external_reference"],
                condition=Q(external_reference__isnull=False),
                name="transaction_by_reference",
            ),
        ),
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(
                OpClass(Upper("payer_email"), name="varchar_pattern_ops"),
                condition=~Q(payer_email=""),
                name="transaction_by_payer_email",
            ),
        ),
        AddIndexConcurrently(
            model_name="payment",
            index=models.Index(
                fields=["approval_code"], condition=~Q(approval_code=""), name="payment_by_approval_code"
            ),
        ),
        AddIndexConcurrently(
            model_name="transaction",
            index=BrinIndex(autosummarize=True, fields=["created_at"], name="transaction_by_day"),
        ),
        AddIndexConcurrently(
            model_name="payment",
            index=BrinIndex(autosummarize=True, fields=["created_at"], name="payment_by_day"),
        ),
        AddIndexConcurrently(
            model_name="refund",
            index=BrinIndex(autosummarize=True, fields=["created_at"], name="refund_by_day"),
        ),
        AddIndexConcurrently(
            model_name="journalentry",
            index=BrinIndex(autosummarize=True, fields=["booked_at"], name="journal_entry_by_day"),
        ),
    ]
