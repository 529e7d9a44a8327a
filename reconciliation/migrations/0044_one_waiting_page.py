"""Of the pages of a statement one of each number may wait. Pages that wait are few, so both are made in no time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0006_words_for_people"),
        ("reconciliation", "0043_payouts_proven_by_their_account"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "WAITING"), _negated=True),
                    models.Q(("page__has_keys", ["account", "key", "number"]), ("page__isnull", False)),
                    _connector="OR",
                ),
                name="statement_waits_as_a_page",
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.UniqueConstraint(
                models.F("provider"),
                models.F("provider_account"),
                models.F("live"),
                models.F("page__account"),
                models.F("page__key"),
                models.F("page__number"),
                condition=models.Q(("state", "WAITING")),
                name="statement_one_page_of_a_number_waits",
                nulls_distinct=False,
            ),
        ),
    ]
