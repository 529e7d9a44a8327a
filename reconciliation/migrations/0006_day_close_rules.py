"""A closed day stays as it is, whoever writes; what two people decided about a break is for that break."""

from django.db import migrations

from common.triggers import append_only, needs_approval

_BREAK_ACTS = ("break.match", "break.adjust", "break.write_off", "break.dispute")

# Closing and writing exclude each other per source and mode, so no line slips in between a closing's look and its row.
CLOSING = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_day_lock(of_provider text, of_live boolean) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
        SELECT hashtextextended('day:' || of_provider || ':' || of_live, 0)
    $$;

    CREATE FUNCTION counterfoil_day_closed(of_provider text, of_live boolean, of_day date) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT coalesce((SELECT state = 'CLOSED' FROM day_close WHERE provider = of_provider AND live = of_live AND day = of_day
                         ORDER BY number DESC LIMIT 1), false)
    $$;

    CREATE FUNCTION counterfoil_open_day(of_provider text, of_live boolean, of_day date) RETURNS date LANGUAGE plpgsql STABLE AS $$
    BEGIN
        WHILE counterfoil_day_closed(of_provider, of_live, of_day) LOOP
            of_day := of_day + 1;
        END LOOP;
        RETURN of_day;
    END $$;

    CREATE FUNCTION counterfoil_day_close() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE before record;
    BEGIN
        PERFORM pg_advisory_xact_lock(counterfoil_day_lock(NEW.provider, NEW.live));
        SELECT number, state INTO before FROM day_close
            WHERE provider = NEW.provider AND live = NEW.live AND day = NEW.day ORDER BY number DESC LIMIT 1;
        IF NEW.number <> coalesce(before.number, 0) + 1 OR NEW.state = coalesce(before.state, 'REOPENED') THEN
            RAISE EXCEPTION '% % is % already', NEW.provider, NEW.day, lower(NEW.state)
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'day_close_in_turn';
        END IF;
        IF NEW.state = 'CLOSED' AND EXISTS (
                SELECT FROM reconciliation_break
                WHERE provider = NEW.provider AND live = NEW.live AND day = NEW.day AND resolved_at IS NULL) THEN
            RAISE EXCEPTION '% % has open breaks', NEW.provider, NEW.day
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'day_close_nothing_open';
        END IF;
        NEW.last_line_id := (SELECT coalesce(max(id), 0) FROM statement_line);
        RETURN NEW;
    END $$;
    CREATE TRIGGER day_close_in_turn BEFORE INSERT ON day_close FOR EACH ROW EXECUTE FUNCTION counterfoil_day_close();
    ALTER TABLE day_close ENABLE ALWAYS TRIGGER day_close_in_turn;
    """,
    """
    DROP TRIGGER day_close_in_turn ON day_close;
    DROP FUNCTION counterfoil_day_close, counterfoil_open_day, counterfoil_day_closed, counterfoil_day_lock;
    """,
)

APPROVED = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_day_close_approved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM proposal p WHERE p.id = NEW.proposal_id AND p.state = 'EXECUTED'
                AND p.kind = CASE NEW.state WHEN 'CLOSED' THEN 'day.close_with_difference' ELSE 'day.reopen' END
                AND (p.parameters ->> 'provider', p.parameters ->> 'live', p.parameters ->> 'day')
                    = (NEW.provider, NEW.live::text, NEW.day::text)
                AND NOT EXISTS (SELECT FROM day_close d WHERE d.proposal_id = p.id)) THEN
            RAISE EXCEPTION 'day_close needs an approved proposal for this day'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'day_close_needs_approval';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER day_close_needs_approval BEFORE INSERT ON day_close
        FOR EACH ROW WHEN (NOT NEW.is_clean) EXECUTE FUNCTION counterfoil_day_close_approved();
    ALTER TABLE day_close ENABLE ALWAYS TRIGGER day_close_needs_approval;
    """,
    "DROP TRIGGER day_close_needs_approval ON day_close; DROP FUNCTION counterfoil_day_close_approved;",
)


def lines_of_open_days(table: str) -> migrations.RunSQL:
    """Refuse rows of a statement whose day is closed; once per statement of SQL, however many rows it adds."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_day_open AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
            FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_lines_of_open_days();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_day_open;
        """,
        f"DROP TRIGGER {table}_day_open ON {table};",
    )


LINES = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_lines_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found record;
    BEGIN
        FOR found IN SELECT DISTINCT s.provider, s.live, s.day FROM (SELECT DISTINCT statement_id FROM added) a
                     JOIN statement s ON s.id = a.statement_id ORDER BY 1, 2, 3 LOOP
            PERFORM pg_advisory_xact_lock_shared(counterfoil_day_lock(found.provider, found.live));
            IF counterfoil_day_closed(found.provider, found.live, found.day) THEN
                RAISE EXCEPTION '% % is closed: nothing is added to %', found.provider, found.day, TG_TABLE_NAME
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_day_open';
            END IF;
        END LOOP;
        RETURN NULL;
    END $$;
    """,
    "DROP FUNCTION counterfoil_lines_of_open_days;",
)

# A line of a closed day is claimed only if it was handed on with its break. Lines newer than every closing are not looked at.
MATCHES = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_matches_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        found record;
        bound bigint;
    BEGIN
        FOR found IN SELECT DISTINCT provider, live FROM (
                SELECT r.provider, r.live FROM (SELECT DISTINCT run_id FROM added) a JOIN reconciliation_run r ON r.id = a.run_id
                UNION ALL
                SELECT s.provider, s.live FROM added a JOIN statement_line l ON l.id = a.line_id
                    JOIN statement s ON s.id = l.statement_id WHERE a.run_id IS NULL
            ) writer ORDER BY 1, 2 LOOP
            PERFORM pg_advisory_xact_lock_shared(counterfoil_day_lock(found.provider, found.live));
        END LOOP;
        SELECT max(last_line_id) INTO bound FROM day_close;
        FOR found IN
            WITH old_line AS (
                SELECT l.id, l.statement_id FROM added a JOIN statement_line l ON l.id = a.line_id WHERE a.line_id <= bound
            ), locked AS (
                SELECT s.id, s.provider, s.day FROM statement s
                WHERE s.id IN (SELECT statement_id FROM old_line) AND counterfoil_day_closed(s.provider, s.live, s.day)
            )
            SELECT o.id, k.provider, k.day FROM old_line o JOIN locked k ON k.id = o.statement_id
            WHERE NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.line_id = o.id AND b.resolved_at IS NULL)
            LIMIT 1
        LOOP
            RAISE EXCEPTION '% % is closed: line % is not matched any more', found.provider, found.day, found.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_match_day_open';
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE TRIGGER reconciliation_match_day_open AFTER INSERT ON reconciliation_match REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_matches_of_open_days();
    ALTER TABLE reconciliation_match ENABLE ALWAYS TRIGGER reconciliation_match_day_open;

    CREATE FUNCTION counterfoil_bank_matches_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found record;
    BEGIN
        FOR found IN SELECT DISTINCT s.provider, s.live FROM added a JOIN bank_line l ON l.id = a.bank_line_id
                     JOIN statement s ON s.id = l.statement_id ORDER BY 1, 2 LOOP
            PERFORM pg_advisory_xact_lock_shared(counterfoil_day_lock(found.provider, found.live));
        END LOOP;
        FOR found IN
            SELECT l.id, s.provider, s.day FROM added a JOIN bank_line l ON l.id = a.bank_line_id JOIN statement s ON s.id = l.statement_id
            WHERE counterfoil_day_closed(s.provider, s.live, s.day)
                AND NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.bank_line_id = l.id AND b.resolved_at IS NULL)
            LIMIT 1
        LOOP
            RAISE EXCEPTION '% % is closed: bank line % is not matched any more', found.provider, found.day, found.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_bank_match_day_open';
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE TRIGGER reconciliation_bank_match_day_open AFTER INSERT ON reconciliation_bank_match REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_bank_matches_of_open_days();
    ALTER TABLE reconciliation_bank_match ENABLE ALWAYS TRIGGER reconciliation_bank_match_day_open;
    """,
    """
    DROP TRIGGER reconciliation_match_day_open ON reconciliation_match;
    DROP TRIGGER reconciliation_bank_match_day_open ON reconciliation_bank_match;
    DROP FUNCTION counterfoil_matches_of_open_days, counterfoil_bank_matches_of_open_days;
    """,
)

# A break that is found for a closed day is work of the next open one; a break of a closed day is not touched.
BREAKS = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_breaks_of_open_days() RETURNS trigger LANGUAGE plpgsql AS $$
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
    CREATE TRIGGER reconciliation_break_day_open BEFORE INSERT OR UPDATE ON reconciliation_break
        FOR EACH ROW EXECUTE FUNCTION counterfoil_breaks_of_open_days();
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_day_open;

    CREATE FUNCTION counterfoil_break_s_own_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM proposal WHERE id = NEW.resolved_by_proposal_id AND parameters -> 'breaks' @> to_jsonb(NEW.id)) THEN
            RAISE EXCEPTION 'proposal % is not about break %', NEW.resolved_by_proposal_id, NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_break_s_own_proposal';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER reconciliation_break_s_own_proposal BEFORE INSERT OR UPDATE ON reconciliation_break
        FOR EACH ROW WHEN (NEW.resolved_by_proposal_id IS NOT NULL) EXECUTE FUNCTION counterfoil_break_s_own_proposal();
    ALTER TABLE reconciliation_break ENABLE ALWAYS TRIGGER reconciliation_break_s_own_proposal;
    """,
    """
    DROP TRIGGER reconciliation_break_day_open ON reconciliation_break;
    DROP TRIGGER reconciliation_break_s_own_proposal ON reconciliation_break;
    DROP FUNCTION counterfoil_breaks_of_open_days, counterfoil_break_s_own_proposal;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0005_day_close")]
    operations = [
        append_only("day_close"),
        CLOSING,
        APPROVED,
        LINES,
        lines_of_open_days("statement_line"),
        lines_of_open_days("bank_line"),
        lines_of_open_days("remittance"),
        MATCHES,
        BREAKS,
        needs_approval("reconciliation_match_group", "proposal_id", _BREAK_ACTS, when="NEW.proposal_id IS NOT NULL"),
        needs_approval(
            "reconciliation_break",
            "resolved_by_proposal_id",
            _BREAK_ACTS,
            when="NEW.resolved_by_proposal_id IS NOT NULL",
            event="INSERT OR UPDATE",
        ),
    ]
