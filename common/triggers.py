"""Rules that the database keeps by itself, as migration operations.

Written as plain triggers because django-pgtrigger's own can be switched off by `pgtrigger.ignore()`, and its Protect does not
cover TRUNCATE. They are ENABLE ALWAYS, so `session_replication_role` does not skip them either (docs/adr/0003).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.migrations import RunSQL

INSTALL_FUNCTIONS = RunSQL(
    """
    CREATE FUNCTION counterfoil_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' AND current_setting('counterfoil.allow_truncate', true) = 'on' THEN
            RETURN NULL;  -- test databases only: Django flushes between tests with TRUNCATE
        END IF;
        RAISE EXCEPTION '% on % is refused: its rows are append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
    END $$;

    CREATE FUNCTION counterfoil_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' AND current_setting('counterfoil.allow_truncate', true) = 'on' THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION '% on % is refused: financial rows are reversed, never deleted', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_no_delete';
    END $$;

    CREATE FUNCTION counterfoil_listed_moves() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before text := to_jsonb(OLD) ->> TG_ARGV[0];
        after text := to_jsonb(NEW) ->> TG_ARGV[0];
    BEGIN
        IF NOT (before || '>' || after) = ANY (string_to_array(TG_ARGV[1], ',')) THEN
            RAISE EXCEPTION '% of % cannot go from % to %', TG_ARGV[0], TG_TABLE_NAME, before, after
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_listed_moves';
        END IF;
        RETURN NEW;
    END $$;
    """,
    "DROP FUNCTION counterfoil_append_only, counterfoil_no_delete, counterfoil_listed_moves",
)


def append_only(table: str) -> RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE, and take UPDATE and DELETE from every role but the owner."""
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION counterfoil_append_only();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_append_only();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only;
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate;
        DO $$ DECLARE role text; BEGIN
            FOR role IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
                        WHERE table_name = '{table}' AND table_schema = current_schema() AND grantee <> current_user LOOP
                EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM %s',
                               CASE role WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(role) END);
            END LOOP;
        END $$;
        """,
        f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )


def no_delete(table: str) -> RunSQL:
    """Refuse DELETE and TRUNCATE."""
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION counterfoil_no_delete();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_no_delete();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_delete;
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate;
        """,
        f"DROP TRIGGER {table}_no_delete ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )


def listed_moves(table: str, column: str, moves: Iterable[tuple[str, str]], *, name: str = "listed_moves") -> RunSQL:
    """Let `column` change only from the first to the second of one of the pairs `moves`. A second column needs another `name`."""
    listed = ",".join(sorted(f"{before}>{after}" for before, after in moves))
    return RunSQL(
        f"""
        CREATE OR REPLACE TRIGGER {table}_{name} BEFORE UPDATE OF {column} ON {table}
            FOR EACH ROW WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})
            EXECUTE FUNCTION counterfoil_listed_moves('{column}', '{listed}');
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name};
        """,
        f"DROP TRIGGER {table}_{name} ON {table};",
    )


def fixed_columns(table: str, columns: Iterable[str]) -> RunSQL:
    """Refuse to change `columns` once a row is there. Costs nothing where an update does not name them."""
    names = list(columns)
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in names)
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION {table}_fixed_columns() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what was asked for in {table} % is not changed afterwards', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{table}_fixed_columns';
        END $$;
        CREATE OR REPLACE TRIGGER {table}_fixed_columns BEFORE UPDATE OF {", ".join(names)} ON {table}
            FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {table}_fixed_columns();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_fixed_columns;
        """,
        f"DROP TRIGGER {table}_fixed_columns ON {table}; DROP FUNCTION {table}_fixed_columns;",
    )


INSTALL_APPROVALS = RunSQL(
    """
    CREATE FUNCTION counterfoil_row_digest(name text, key_column text, key text, columns text[]) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
    DECLARE digest text;
    BEGIN
        EXECUTE format('SELECT encode(sha256(convert_to(jsonb_build_array(%s)::text, ''UTF8'')), ''hex'') FROM %I WHERE %I = %L',
                       (SELECT string_agg(format('%I', c), ', ' ORDER BY o) FROM unnest(columns) WITH ORDINALITY u (c, o)),
                       name, key_column, key) INTO digest;
        RETURN digest;
    END $$;

    CREATE FUNCTION counterfoil_may(who integer, permission text) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT EXISTS (SELECT FROM auth_user u WHERE u.id = who AND u.is_active AND u.is_staff AND (u.is_superuser OR EXISTS (
            SELECT FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id
            WHERE c.app_label || '.' || p.codename = permission
                AND (EXISTS (SELECT FROM auth_user_user_permissions x WHERE x.user_id = u.id AND x.permission_id = p.id)
                     OR EXISTS (SELECT FROM auth_user_groups m JOIN auth_group_permissions g ON g.group_id = m.group_id
                                WHERE m.user_id = u.id AND g.permission_id = p.id)))))
    $$;

    CREATE FUNCTION counterfoil_proposal_decided() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE pin jsonb;
    BEGIN
        IF OLD.state <> 'OPEN' THEN
            RAISE EXCEPTION 'proposal % is decided', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_decided_once';
        END IF;
        IF NEW.state <> 'EXECUTED' THEN
            RETURN NEW;
        END IF;
        IF NEW.decided_by_id IS NOT DISTINCT FROM OLD.proposed_by_id THEN
            RAISE EXCEPTION 'proposal % needs a second person', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_by_a_second_person';
        END IF;
        IF NOT counterfoil_may(NEW.decided_by_id, OLD.permission) THEN
            RAISE EXCEPTION 'user % may not approve proposal %', NEW.decided_by_id, OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_approver_may';
        END IF;
        IF NEW.decided_at IS NULL OR NEW.decided_at >= OLD.expires_at OR NEW.decided_at < OLD.proposed_at THEN
            RAISE EXCEPTION 'proposal % has expired', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_in_time';
        END IF;
        FOR pin IN SELECT * FROM jsonb_array_elements(OLD.pins) LOOP
            IF pin ->> 'digest' IS DISTINCT FROM counterfoil_row_digest(
                    pin ->> 'table', pin ->> 'key_column', pin ->> 'key',
                    ARRAY(SELECT jsonb_array_elements_text(pin -> 'columns'))) THEN
                RAISE EXCEPTION 'proposal % is void: % % has changed', OLD.id, pin ->> 'table', pin ->> 'key'
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_pins_hold';
            END IF;
        END LOOP;
        RETURN NEW;
    END $$;
    CREATE TRIGGER proposal_decided BEFORE UPDATE ON proposal FOR EACH ROW EXECUTE FUNCTION counterfoil_proposal_decided();
    ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_decided;

    CREATE FUNCTION counterfoil_needs_approval() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        wanted text := to_jsonb(NEW) ->> TG_ARGV[0];
    BEGIN
        IF NOT EXISTS (SELECT FROM proposal WHERE id = wanted AND state = 'EXECUTED'
                           AND kind = ANY (string_to_array(TG_ARGV[1], ','))) THEN
            RAISE EXCEPTION '% needs an approved proposal', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_needs_approval';
        END IF;
        RETURN NEW;
    END $$;
    """,
    """
    DROP FUNCTION counterfoil_needs_approval;
    DROP TRIGGER proposal_decided ON proposal;
    DROP FUNCTION counterfoil_proposal_decided, counterfoil_may, counterfoil_row_digest;
    """,
)


# Every rule of INSTALL_APPROVALS looks at a change from OPEN, so a row that is decided from the start would pass them all by.
PROPOSAL_BEGINS_OPEN = RunSQL(
    """
    CREATE FUNCTION counterfoil_proposal_begins_open() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'proposal % is not decided yet', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_begins_open';
    END $$;
    CREATE TRIGGER proposal_begins_open BEFORE INSERT ON proposal FOR EACH ROW
        WHEN (NEW.state IS DISTINCT FROM 'OPEN' OR NEW.decided_by_id IS NOT NULL OR NEW.decided_at IS NOT NULL OR NEW.decision_reason <> '')
        EXECUTE FUNCTION counterfoil_proposal_begins_open();
    ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_begins_open;
    """,
    "DROP TRIGGER proposal_begins_open ON proposal; DROP FUNCTION counterfoil_proposal_begins_open;",
)


def needs_approval(table: str, column: str, kinds: Iterable[str], *, when: str, event: str = "INSERT") -> RunSQL:
    """Refuse a row of which the SQL condition `when` holds unless `column` names an executed proposal of one of `kinds`."""
    listed = ",".join(sorted(kinds))
    return RunSQL(
        f"""
        CREATE OR REPLACE TRIGGER {table}_needs_approval BEFORE {event} ON {table}
            FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION counterfoil_needs_approval('{column}', '{listed}');
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_needs_approval;
        """,
        f"DROP TRIGGER {table}_needs_approval ON {table};",
    )


INSTALL_AS_AGREED = RunSQL(
    """
    CREATE FUNCTION counterfoil_as_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE agreed proposal%ROWTYPE;
    BEGIN
        SELECT * INTO agreed FROM proposal WHERE id = NEW.proposal_id AND state = 'EXECUTED' AND kind = TG_ARGV[0];
        IF NOT FOUND OR EXISTS (SELECT FROM unnest(string_to_array(TG_ARGV[1], ',')) c
                                WHERE to_jsonb(NEW) -> c IS DISTINCT FROM coalesce(agreed.parameters -> 'row' -> c, 'null'))
            OR TG_OP = 'UPDATE' AND EXISTS (SELECT FROM proposal WHERE id = OLD.proposal_id AND decided_at >= agreed.decided_at) THEN
            RAISE EXCEPTION 'this row of % is not what two people agreed on last', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_as_agreed';
        END IF;
        RETURN NULL;
    END $$;
    """,
    "DROP FUNCTION counterfoil_as_agreed",
)


def as_agreed(table: str, kind: str, columns: Iterable[str], *, insert: str = "true") -> RunSQL:
    """Let `columns` of a row be only what its `proposal_id` says, an executed proposal of `kind` with the whole row (common/agreed.py).

    So for each new row of which the SQL condition `insert` holds, and for each change; an older agreement does not come back.
    """
    names = list(columns)
    listed = ",".join(names)
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in [*names, "proposal_id"])
    return RunSQL(
        f"""
        CREATE OR REPLACE TRIGGER {table}_begins_as_agreed AFTER INSERT ON {table}
            FOR EACH ROW WHEN ({insert}) EXECUTE FUNCTION counterfoil_as_agreed('{kind}', '{listed}');
        CREATE OR REPLACE TRIGGER {table}_stays_as_agreed AFTER UPDATE ON {table}
            FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION counterfoil_as_agreed('{kind}', '{listed}');
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_begins_as_agreed;
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_stays_as_agreed;
        """,
        f"DROP TRIGGER {table}_begins_as_agreed ON {table}; DROP TRIGGER {table}_stays_as_agreed ON {table};",
    )


def set_wise_reference(table: str, column: str, target: str) -> RunSQL:
    """What a foreign key to the `id` of `target` holds, checked once for all rows of an INSERT.

    For append-only tables that take a million rows in a statement, where a key's trigger for each row costs more than the rows. Rows of
    `target` have to be such that nobody deletes them or changes their id. Given again, it replaces the check as it was.
    """
    name = f"{table}_{column}_exists"
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE missing text;
        BEGIN
            -- EXECUTE: planned for the number of rows that there are this time; a DISTINCT would hide it, a LIMIT would look each one up
            EXECUTE 'SELECT min(a.{column}) FROM added a
                     WHERE a.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM {target} t WHERE t.id = a.{column})' INTO missing;
            IF missing IS NOT NULL THEN
                RAISE EXCEPTION '{column} % of {table} is not in {target}', missing
                    USING ERRCODE = 'foreign_key_violation', CONSTRAINT = '{name}';
            END IF;
            RETURN NULL;
        END $$;
        CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
            FOR EACH STATEMENT EXECUTE FUNCTION {name}();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};
        """,
        f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name};",
    )
