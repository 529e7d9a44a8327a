"""Breaks of open days, checked once per statement of SQL; only a new break is looked at by itself, because its day may have to move on."""

from django.db import migrations

SET_WISE = migrations.RunSQL(
    """
    CREATE OR REPLACE FUNCTION counterfoil_breaks_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last text;
    BEGIN
        SELECT state INTO last FROM day_close WHERE provider = NEW.provider AND live = NEW.live AND day = NEW.day
            ORDER BY number DESC LIMIT 1;
        IF last = 'CLOSED' THEN
            NEW.carried_from := NEW.day;
            NEW.day := counterfoil_open_day(NEW.provider, NEW.live, NEW.day);
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER reconciliation_break_day_open BEFORE INSERT ON reconciliation_break
        FOR EACH ROW EXECUTE FUNCTION counterfoil_breaks_of_open_days();
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_day_open;

    CREATE FUNCTION counterfoil_days_of_breaks_open() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found record;
    BEGIN
        FOR found IN SELECT DISTINCT provider, live, day FROM changed ORDER BY 1, 2, 3 LOOP
            PERFORM pg_advisory_xact_lock_shared(counterfoil_day_lock(found.provider, found.live));
            IF counterfoil_day_closed(found.provider, found.live, found.day) THEN
                RAISE EXCEPTION '% % is closed: its breaks are not changed', found.provider, found.day
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_break_day_open';
            END IF;
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE TRIGGER reconciliation_break_new_day_open AFTER INSERT ON reconciliation_break REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_days_of_breaks_open();
    CREATE TRIGGER reconciliation_break_old_day_open AFTER UPDATE ON reconciliation_break REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_days_of_breaks_open();
    CREATE TRIGGER reconciliation_break_changed_day_open AFTER UPDATE ON reconciliation_break REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_days_of_breaks_open();
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_new_day_open;
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_old_day_open;
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_changed_day_open;
    """,
    """
    DROP TRIGGER reconciliation_break_new_day_open ON reconciliation_break;
    DROP TRIGGER reconciliation_break_old_day_open ON reconciliation_break;
    DROP TRIGGER reconciliation_break_changed_day_open ON reconciliation_break;
    DROP FUNCTION counterfoil_days_of_breaks_open;
    CREATE OR REPLACE FUNCTION counterfoil_breaks_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(counterfoil_day_lock(NEW.provider, NEW.live));
        IF TG_OP = 'INSERT' THEN
            IF counterfoil_day_closed(NEW.provider, NEW.live, NEW.day) THEN
                NEW.carried_from := NEW.day;
                NEW.day := counterfoil_open_day(NEW.provider, NEW.live, NEW.day);
            END IF;
        ELSIF counterfoil_day_closed(OLD.provider, OLD.live, OLD.day) OR counterfoil_day_closed(NEW.provider, NEW.live, NEW.day) THEN
            RAISE EXCEPTION '% % is closed: its breaks are not changed', OLD.provider, OLD.day
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_break_day_open';
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER reconciliation_break_day_open BEFORE INSERT OR UPDATE ON reconciliation_break
        FOR EACH ROW EXECUTE FUNCTION counterfoil_breaks_of_open_days();
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_day_open;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0019_payment_money")]
    operations = [SET_WISE]
