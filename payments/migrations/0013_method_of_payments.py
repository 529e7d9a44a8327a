"""A payment says its own method: until now it was its transaction's."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("payments", "0012_hosted")]
    operations = [
        migrations.RunSQL(
            "UPDATE payment p SET method = t.method FROM transaction t WHERE t.id = p.transaction_id AND p.method = ''",
            migrations.RunSQL.noop,
        )
    ]
