"""Files that were kept whole become their own first and only chunk."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0014_sources")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO statement_file_chunk (file_id, number, compressed) SELECT statement_id, 0, compressed FROM statement_file",
            # Back again only while nothing is in several pieces.
            "DELETE FROM statement_file_chunk",
        )
    ]
