"""Refunds that are decided together, and their rows."""

import common.fields
import django.db.models.deletion
import payments.states
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0004_proposal_rules"),
        ("merchants", "0003_users"),
        ("payments", "0009_several_captures"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefundBatch",
            fields=[
                ("id", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("live", models.BooleanField()),
                ("title", models.CharField(max_length=200)),
                ("reason", models.CharField(max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PREPARED", "Prepared"),
                            ("APPROVED", "Approved"),
                            ("DONE", "Done"),
                            ("DISCARDED", "Discarded"),
                        ],
                        default=payments.states.RefundBatchState["PREPARED"],
                        max_length=20,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("content_hash", models.BinaryField(max_length=32)),
                ("item_count", models.PositiveIntegerField()),
                ("refused_count", models.PositiveIntegerField()),
                ("prepared_by", models.CharField(max_length=120)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_batches",
                        to="merchants.merchant",
                    ),
                ),
                (
                    "proposal",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="common.proposal",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "refund batches",
                "db_table": "refund_batch",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="RefundBatchItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("given", models.CharField(max_length=100)),
                (
                    "currency",
                    models.CharField(
                        blank=True, default="", max_length=3, validators=[common.fields.validate_currency]
                    ),
                ),
                ("amount_minor", models.BigIntegerField(blank=True, null=True)),
                ("reason", models.CharField(max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("REFUSED", "Refused"),
                            ("WAITING", "Waiting"),
                            ("REQUESTED", "Requested"),
                            ("FAILED", "Failed"),
                        ],
                        max_length=20,
                    ),
                ),
                ("why", models.CharField(blank=True, default="", max_length=255)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="items", to="payments.refundbatch"
                    ),
                ),
                (
                    "refund",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_batch_item",
                        to="payments.refund",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_batch_items",
                        to="payments.transaction",
                    ),
                ),
            ],
            options={
                "db_table": "refund_batch_item",
                "ordering": ["batch", "number"],
            },
        ),
        migrations.AddIndex(
            model_name="refundbatch",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="refund_batch_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", payments.states.RefundBatchState["DISCARDED"]), _negated=True),
                fields=("merchant", "live", "content_hash"),
                name="refund_batch_content_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["PREPARED", "APPROVED", "DONE", "DISCARDED"])),
                name="refund_batch_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [payments.states.RefundBatchState["APPROVED"], payments.states.RefundBatchState["DONE"]],
                        ),
                        _negated=True,
                    ),
                    ("proposal__isnull", False),
                    _connector="OR",
                ),
                name="refund_batch_approved_by_a_proposal",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("state", payments.states.RefundBatchState["APPROVED"])),
                    models.Q(
                        models.Q(("state", payments.states.RefundBatchState["APPROVED"]), _negated=True),
                        ("due_at", None),
                    ),
                    _connector="OR",
                ),
                name="refund_batch_approved_is_due",
            ),
        ),
        migrations.AddIndex(
            model_name="refundbatchitem",
            index=models.Index(
                condition=models.Q(("state", "WAITING")), fields=["batch", "id"], name="refund_batch_item_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatchitem",
            constraint=models.UniqueConstraint(fields=("batch", "number"), name="refund_batch_item_number_once"),
        ),
        migrations.AddConstraint(
            model_name="refundbatchitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", payments.states.RefundItemState["REFUSED"]), _negated=True),
                fields=("batch", "transaction"),
                name="refund_batch_item_transaction_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundbatchitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("refund", None),
                        ("state", payments.states.RefundItemState["REFUSED"]),
                        models.Q(("why", ""), _negated=True),
                    ),
                    models.Q(
                        ("amount_minor__gt", 0),
                        ("refund", None),
                        ("state", payments.states.RefundItemState["WAITING"]),
                        ("transaction__isnull", False),
                        ("why", ""),
                    ),
                    models.Q(
                        ("refund__isnull", False),
                        ("state", payments.states.RefundItemState["REQUESTED"]),
                        ("transaction__isnull", False),
                        ("why", ""),
                    ),
                    models.Q(
                        ("refund", None),
                        ("state", payments.states.RefundItemState["FAILED"]),
                        ("transaction__isnull", False),
                        models.Q(("why", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="refund_batch_item_says_what_became_of_it",
            ),
        ),
    ]
