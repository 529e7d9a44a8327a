"""A line claims an entry that is there: looked at once for all lines that are added together. Entries are never deleted."""

from django.db import migrations

_FUNCTION = """
    CREATE OR REPLACE FUNCTION settlement_line_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        late text;
    BEGIN
        SELECT s.id INTO late FROM (SELECT DISTINCT settlement_id FROM added) a JOIN settlement s ON s.id = a.settlement_id LIMIT 1;
        IF late IS NOT NULL THEN
            RAISE EXCEPTION 'settlement % is made: lines come before it', late
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_line_in_time';
        END IF;{more}
        RETURN NULL;
    END $$;
"""
_ENTRIES = """
        SELECT a.entry_id INTO late FROM added a LEFT JOIN journal_entry e ON e.id = a.entry_id WHERE e.id IS NULL LIMIT 1;
        IF late IS NOT NULL THEN
            RAISE EXCEPTION 'there is no journal entry % to settle', late
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_line_entry';
        END IF;"""


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0021_settlement_lines_set_wise")]
    operations = [migrations.RunSQL(_FUNCTION.format(more=_ENTRIES), _FUNCTION.format(more=""))]
