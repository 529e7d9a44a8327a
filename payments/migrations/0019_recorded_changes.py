"""A change of a transaction, payment, refund or account does not commit without its audit record, nor a posting without its entry.

Deferred, because rows, fact and audit record are one statement. "Ours" is what the present database transaction wrote, savepoints
included: its row's xmin is not older than the transaction, and not committed yet.
"""

from django.db import migrations

OURS = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_is_ours(written_by xid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
        SELECT CASE WHEN age(written_by) > 0 THEN false ELSE coalesce(pg_xact_status((
            top - top % 4294967296 + low + CASE WHEN low < top % 4294967296 THEN 4294967296 ELSE 0 END
        )::text::xid8) = 'in progress', false) END
        FROM (SELECT pg_current_xact_id()::text::bigint AS top, written_by::text::bigint AS low) x
    $$
    """,
    "DROP FUNCTION counterfoil_is_ours",
)


def recorded(table: str, columns: str, rule: str) -> migrations.RunSQL:
    """Refuse, at commit, a change of `columns` for which `rule` (SQL over OLD and NEW) does not hold."""
    old, new = (", ".join(f"{row}.{column}" for column in columns.split()) for row in ("OLD", "NEW"))
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {table}_change_is_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT ({rule}) THEN
                RAISE EXCEPTION 'this change of {table} % has no audit record of its own', NEW.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{table}_change_is_recorded';
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER {table}_change_is_recorded AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION {table}_change_is_recorded();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_change_is_recorded;
        """,
        f"DROP TRIGGER {table}_change_is_recorded ON {table}; DROP FUNCTION {table}_change_is_recorded;",
    )


# The version grows, each version has its record, and one of them says that the status is what it is now.
VERSIONED = """
    NEW.version > OLD.version AND (
        SELECT count(*) = NEW.version - OLD.version
            AND (OLD.status = NEW.status OR coalesce(bool_or(r.changes #>> '{status,1}' = NEW.status), false))
        FROM audit_record r WHERE r.subject_id = NEW.id AND r.version > OLD.version AND r.version <= NEW.version)
"""
# Payments and refunds change with their transaction.
OF_PAYMENT = """
    EXISTS (SELECT FROM audit_record r WHERE r.subject_id = NEW.transaction_id AND counterfoil_is_ours(r.xmin)
                AND r.changes -> 'payment_state' = jsonb_build_array(OLD.state, NEW.state))
"""
OF_REFUND = (
    "EXISTS (SELECT FROM audit_record r WHERE r.subject_id = NEW.transaction_id AND counterfoil_is_ours(r.xmin))"
)

# One pass over the legs says all that has to hold of them: as before, and that none is added to an entry that is booked.
ENTRY = migrations.RunSQL(
    """
    DROP TRIGGER posting_currency_of_account ON posting;
    DROP FUNCTION counterfoil_posting_currency;
    CREATE OR REPLACE FUNCTION counterfoil_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        entry text;
        legs bigint;
        unbalanced text;
        strange text;
    BEGIN
        IF TG_TABLE_NAME = 'posting' THEN
            entry := NEW.entry_id;
            IF NOT counterfoil_is_ours((SELECT xmin FROM journal_entry WHERE id = entry)) THEN
                RAISE EXCEPTION 'journal entry % is booked: nothing is added to it', entry
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_with_its_entry';
            END IF;
        ELSE
            entry := NEW.id;
        END IF;
        SELECT sum(n), string_agg(currency, ', ') FILTER (WHERE total <> 0), max(other)
        INTO legs, unbalanced, strange
        FROM (
            SELECT p.currency, sum(p.amount_minor) AS total, count(*) AS n,
                   max(a.code) FILTER (WHERE a.currency <> p.currency) AS other
            FROM posting p JOIN ledger_account a ON a.code = p.account_id WHERE p.entry_id = entry GROUP BY p.currency
        ) c;
        IF coalesce(legs, 0) < 2 THEN
            RAISE EXCEPTION 'journal entry % has % postings, it needs two at least', entry, coalesce(legs, 0)
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_entry_balances';
        END IF;
        IF unbalanced IS NOT NULL THEN
            RAISE EXCEPTION 'journal entry % does not balance in %', entry, unbalanced
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_entry_balances';
        END IF;
        IF strange IS NOT NULL THEN
            RAISE EXCEPTION 'account % is not kept in the currency of its posting', strange
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_currency_of_account';
        END IF;
        RETURN NULL;
    END $$;
    """,
    migrations.RunSQL.noop,  # the stricter function serves the earlier triggers as well
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0018_fee_rules")]
    operations = [
        OURS,
        ENTRY,
        recorded(
            "transaction",
            "status version amount_authorized_minor amount_captured_minor amount_refunded_minor amount_refund_pending_minor",
            VERSIONED,
        ),
        recorded("account", "status version balance_minor held_minor", VERSIONED),
        recorded("payment", "state", OF_PAYMENT),
        recorded("refund", "state", OF_REFUND),
    ]
