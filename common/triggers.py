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


def listed_moves(table: str, column: str, moves: Iterable[tuple[str, str]]) -> RunSQL:
    """Let `column` change only from the first to the second of one of the pairs `moves`."""
    listed = ",".join(sorted(f"{before}>{after}" for before, after in moves))
    return RunSQL(
        f"""
        CREATE OR REPLACE TRIGGER {table}_listed_moves BEFORE UPDATE OF {column} ON {table}
            FOR EACH ROW WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})
            EXECUTE FUNCTION counterfoil_listed_moves('{column}', '{listed}');
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_listed_moves;
        """,
        f"DROP TRIGGER {table}_listed_moves ON {table};",
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
        CREATE TRIGGER {table}_fixed_columns BEFORE UPDATE OF {", ".join(names)} ON {table}
            FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {table}_fixed_columns();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_fixed_columns;
        """,
        f"DROP TRIGGER {table}_fixed_columns ON {table}; DROP FUNCTION {table}_fixed_columns;",
    )
