"""A settlement is made whole: its lines come with it and add up to it; afterwards only its state moves."""

from django.db import migrations

from common.triggers import append_only, fixed_columns, listed_moves, no_delete
from reconciliation.models.settlement import SETTLEMENT_MOVES

ADDS_UP = migrations.RunSQL(
    """
    CREATE FUNCTION settlement_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        found record;
    BEGIN
        SELECT count(*) AS lines, coalesce(sum(gross_minor), 0) AS gross, coalesce(sum(refund_minor), 0) AS refund,
               coalesce(sum(dispute_minor), 0) AS dispute, coalesce(sum(fee_minor), 0) AS fee,
               coalesce(sum(adjustment_minor), 0) AS adjustment
        INTO found FROM settlement_line WHERE settlement_id = NEW.id;
        IF (found.lines, found.gross, found.refund, found.dispute, found.fee, found.adjustment) IS DISTINCT FROM
           (NEW.line_count, NEW.gross_minor, NEW.refund_minor, NEW.dispute_minor, NEW.fee_minor, NEW.adjustment_minor) THEN
            RAISE EXCEPTION 'the lines of settlement % do not add up to it', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_adds_up';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER settlement_adds_up AFTER INSERT ON settlement
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION settlement_adds_up();
    ALTER TABLE settlement ENABLE ALWAYS TRIGGER settlement_adds_up;

    CREATE FUNCTION settlement_line_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        late text;
    BEGIN
        SELECT s.id INTO late FROM (SELECT DISTINCT settlement_id FROM added) a JOIN settlement s ON s.id = a.settlement_id LIMIT 1;
        IF late IS NOT NULL THEN
            RAISE EXCEPTION 'settlement % is made: lines come before it', late
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_line_in_time';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER settlement_line_in_time AFTER INSERT ON settlement_line
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION settlement_line_in_time();
    ALTER TABLE settlement_line ENABLE ALWAYS TRIGGER settlement_line_in_time;
    """,
    """
    DROP TRIGGER settlement_line_in_time ON settlement_line;
    DROP TRIGGER settlement_adds_up ON settlement;
    DROP FUNCTION settlement_line_in_time, settlement_adds_up;
    """,
)
FIXED = (
    "merchant_id",
    "live",
    "currency",
    "terms_id",
    "day",
    "period_from",
    "period_to",
    "line_count",
    "gross_minor",
    "refund_minor",
    "dispute_minor",
    "fee_minor",
    "fee_percentage_minor",
    "fee_fixed_minor",
    "fee_limit_minor",
    "fee_other_minor",
    "reserve_held_minor",
    "reserve_released_minor",
    "adjustment_minor",
    "carried_over_minor",
    "net_minor",
    "reserve_release_on",
    "carried_from_id",
    "pay_on",
    "entry_id",
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0007_settlement")]
    operations = [
        ADDS_UP,
        append_only("settlement_line"),
        append_only("settlement_reserve_release"),
        append_only("settlement_terms"),
        no_delete("settlement"),
        listed_moves("settlement", "state", SETTLEMENT_MOVES),
        fixed_columns("settlement", FIXED),
    ]
