"""How columns are read is what two people agreed on, and the last version of it is the one that holds."""

from django.db import migrations

from common.triggers import as_agreed

_LAST = migrations.RunSQL(
    """
    CREATE FUNCTION reconciliation_source_last_mapping() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.mapping_version IS DISTINCT FROM
                (SELECT coalesce(max(version), 0) FROM reconciliation_source_mapping WHERE source_id = NEW.code) THEN
            RAISE EXCEPTION 'source % is not read by the last version of its columns', NEW.code
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_source_last_mapping';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER reconciliation_source_last_mapping AFTER INSERT OR UPDATE OF mapping_version ON reconciliation_source
        FOR EACH ROW EXECUTE FUNCTION reconciliation_source_last_mapping();
    ALTER TABLE reconciliation_source ENABLE ALWAYS TRIGGER reconciliation_source_last_mapping;
    """,
    """
    DROP TRIGGER reconciliation_source_last_mapping ON reconciliation_source;
    DROP FUNCTION reconciliation_source_last_mapping;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0037_mapping_proposal")]
    operations = [as_agreed("reconciliation_source_mapping", "source.map", ("source_id", "version", "mapping")), _LAST]
