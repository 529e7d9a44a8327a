"""An open question can be closed: what waits in suspense for it, what was decided, by which proposal."""

import common.fields
import django.db.models.deletion
import payments.states
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("common", "0004_proposal_rules"),
        ("payments", "0014_hosted_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="reviewitem",
            name="accepted_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="reviewitem",
            name="currency",
            field=models.CharField(blank=True, default="", max_length=3, validators=[common.fields.validate_currency]),
        ),
        migrations.AddField(
            model_name="reviewitem",
            name="decision",
            field=models.CharField(
                blank=True,
                choices=[
                    ("ACCEPT", "Accept"),
                    ("RETURN", "Return"),
                    ("WRITE_OFF", "Write off"),
                    ("GIVE_UP", "Give up"),
                    ("STANDS", "Stands"),
                    ("ANSWERED", "Answered"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="reviewitem",
            name="event",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="review_items",
                to="payments.providerevent",
            ),
        ),
        migrations.AddField(
            model_name="reviewitem",
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
            model_name="reviewitem",
            name="returned_by",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="returns",
                to="payments.operation",
            ),
        ),
        migrations.AddField(
            model_name="reviewitem",
            name="state",
            field=models.CharField(
                choices=[("OPEN", "Open"), ("RETURNING", "Returning"), ("CLOSED", "Closed")],
                default=payments.states.ReviewState["OPEN"],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="reviewitem",
            name="suspense_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="reviewitem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("CONFLICT", "Provider moved another amount"),
                    ("LATE_SUCCESS", "Paid after it had ended"),
                    ("OVERDUE", "Outcome still unknown"),
                    ("CONTRADICTION", "Provider contradicts what is final"),
                    ("STUCK", "Cannot be asked or read"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="reviewitem",
            name="operation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="review_items",
                to="payments.operation",
            ),
        ),
        migrations.AlterField(
            model_name="reviewitem",
            name="payment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="review_items",
                to="payments.payment",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.UniqueConstraint(fields=("event", "kind"), name="review_item_once_per_event"),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["OPEN", "RETURNING", "CLOSED"])), name="review_item_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("operation__isnull", False), ("payment__isnull", False)),
                    ("event__isnull", False),
                    _connector="OR",
                ),
                name="review_item_is_about_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("resolved_at__isnull", False),
                        ("state", payments.states.ReviewState["CLOSED"]),
                        ("suspense_minor", 0),
                        ("decision__in", ["ACCEPT", "RETURN", "WRITE_OFF", "GIVE_UP", "STANDS", "ANSWERED"]),
                    ),
                    models.Q(
                        models.Q(("state", payments.states.ReviewState["CLOSED"]), _negated=True), ("resolved_at", None)
                    ),
                    _connector="OR",
                ),
                name="review_item_closed_leaves_nothing_in_suspense",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", payments.states.ReviewState["RETURNING"]), _negated=True),
                    ("returned_by__isnull", False),
                    _connector="OR",
                ),
                name="review_item_returning_has_its_operation",
            ),
        ),
    ]
