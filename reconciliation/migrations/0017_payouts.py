"""Payouts, the files that they leave in, and the bank's claim of them."""

import common.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0004_proposal_rules"),
        ("merchants", "0003_users"),
        ("payments", "0016_review_rules"),
        ("reconciliation", "0016_sources_rules"),
    ]

    operations = [
        migrations.CreateModel(
            name="Payout",
            fields=[
                ("id", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("live", models.BooleanField()),
                ("currency", models.CharField(max_length=3, validators=[common.fields.validate_currency])),
                ("amount_minor", models.BigIntegerField()),
                (
                    "way",
                    models.CharField(
                        choices=[("BOOK_TRANSFER", "To an account with us"), ("BANK_FILE", "Through the bank")],
                        max_length=20,
                    ),
                ),
                ("bank_sealed", models.TextField(blank=True, default="")),
                ("destination", models.CharField(max_length=100)),
                ("usable_from", models.DateTimeField(blank=True, null=True)),
                ("end_to_end_id", models.CharField(max_length=35, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PENDING_APPROVAL", "Waits for a second person"),
                            ("APPROVED", "Approved"),
                            ("SENT", "With the bank"),
                            ("PAID", "Paid"),
                            ("RETURNED", "Returned"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="PENDING_APPROVAL",
                        max_length=20,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("reason", models.CharField(blank=True, default="", max_length=255)),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payout",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="PayoutBank",
            fields=[
                ("id", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("live", models.BooleanField()),
                ("currency", models.CharField(max_length=3, validators=[common.fields.validate_currency])),
                ("source", models.CharField(help_text="The code of the bank's statements.", max_length=20)),
                (
                    "account_key",
                    models.CharField(
                        help_text="The account number or IBAN, as the bank's statements write it.", max_length=60
                    ),
                ),
                ("name", models.CharField(help_text="The holder.", max_length=140)),
                ("bic", models.CharField(blank=True, default="", max_length=11)),
                (
                    "url",
                    models.CharField(
                        blank=True, default="", help_text="Where payment files are posted to.", max_length=300
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payout_bank",
            },
        ),
        migrations.CreateModel(
            name="PayoutFile",
            fields=[
                ("id", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("message_id", models.CharField(max_length=35, unique=True)),
                ("live", models.BooleanField()),
                ("currency", models.CharField(max_length=3, validators=[common.fields.validate_currency])),
                ("pay_on", models.DateField()),
                ("payout_count", models.PositiveIntegerField()),
                ("total_minor", models.BigIntegerField()),
                ("content_sealed", models.TextField()),
                ("sha256", models.BinaryField(max_length=32)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PREPARED", "Not sent yet"),
                            ("SENT", "Being sent"),
                            ("UNKNOWN", "Sent, no answer"),
                            ("ACCEPTED", "Taken by the bank"),
                            ("REFUSED", "Refused by the bank"),
                        ],
                        default="PREPARED",
                        max_length=20,
                    ),
                ),
                ("answer", models.CharField(blank=True, default="", max_length=255)),
                ("sends", models.PositiveSmallIntegerField(default=0)),
                ("maybe_taken", models.BooleanField(default=False)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "payout_file",
                "ordering": ["-id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="bankmatch",
            name="reconciliation_bank_match_of_one_item",
        ),
        migrations.AddField(
            model_name="payout",
            name="account",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.account",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="confirmed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="common.proposal",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="merchant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="merchants.merchant"
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="proposal",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="common.proposal",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="returned_line",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="returned_payout",
                to="reconciliation.bankline",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="settlement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="payouts", to="reconciliation.settlement"
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="terms",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.settlementterms"
            ),
        ),
        migrations.AddField(
            model_name="bankmatch",
            name="payout",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bank_match",
                to="reconciliation.payout",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankmatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("bank_line__isnull", False), ("payout", None), ("remittance", None)),
                    models.Q(("bank_line", None), ("payout", None), ("remittance__isnull", False)),
                    models.Q(("bank_line", None), ("payout__isnull", False), ("remittance", None)),
                    _connector="OR",
                ),
                name="reconciliation_bank_match_of_one_item",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutbank",
            constraint=models.UniqueConstraint(fields=("live", "currency"), name="payout_bank_one_for_each_currency"),
        ),
        migrations.AddField(
            model_name="payoutfile",
            name="bank",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="files", to="reconciliation.payoutbank"
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="file",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="reconciliation.payoutfile",
            ),
        ),
        migrations.AddIndex(
            model_name="payoutfile",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="payout_file_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["PREPARED", "SENT", "UNKNOWN", "ACCEPTED", "REFUSED"])),
                name="payout_file_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("payout_count__gt", 0), ("total_minor__gt", 0)),
                name="payout_file_of_more_than_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["SENT", "UNKNOWN"]), _negated=True),
                    ("due_at__isnull", False),
                    _connector="OR",
                ),
                name="payout_file_open_is_due",
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("state", "APPROVED")), fields=["live", "currency"], name="payout_to_send"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "CANCELLED"), _negated=True),
                fields=("settlement",),
                name="payout_one_for_each_settlement",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["PENDING_APPROVAL", "APPROVED", "SENT", "PAID", "RETURNED", "CANCELLED"])
                ),
                name="payout_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payout_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("account__isnull", False), ("bank_sealed", ""), ("file", None), ("way", "BOOK_TRANSFER")),
                    models.Q(("account", None), ("way", "BANK_FILE"), models.Q(("bank_sealed", ""), _negated=True)),
                    _connector="OR",
                ),
                name="payout_one_destination",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["PENDING_APPROVAL", "CANCELLED"]),
                    models.Q(
                        ("approved_at__isnull", False),
                        models.Q(("usable_from", None), ("approved_at__gte", models.F("usable_from")), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="payout_approved_after_the_cooling_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "SENT"), _negated=True),
                    models.Q(("file__isnull", False), ("way", "BANK_FILE")),
                    _connector="OR",
                ),
                name="payout_sent_in_a_file",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "PAID"), _negated=True), ("paid_at__isnull", False), _connector="OR"
                ),
                name="payout_paid_at_a_time",
            ),
        ),
    ]
