"""A question closes once, by two people or because it has been answered; only their decision takes a payment out of its end."""

from django.db import migrations

from common.triggers import fixed_columns, listed_moves, no_delete
from payments.states import (
    DECIDED_PAYMENT_MOVES,
    DECIDED_REFUND_MOVES,
    DECIDED_TRANSACTION_MOVES,
    PAYMENT_MOVES,
    REFUND_MOVES,
    REVIEW_MOVES,
    TERMINAL_OPERATION,
    TRANSACTION_MOVES,
)

# What the rows of before say in their figures; none of them was closed, there was no way to.
FILL = migrations.RunSQL(
    """
    UPDATE review_item i SET
        currency = coalesce(i.details ->> 'providerCurrency', o.currency),
        suspense_minor = CASE WHEN i.kind IN ('CONFLICT', 'LATE_SUCCESS') AND o.kind IN ('SALE', 'CAPTURE', 'REFUND')
            THEN CASE WHEN o.kind = 'REFUND' THEN -1 ELSE 1 END
                * coalesce(replace(i.details ->> 'providerSaid', '.', '')::bigint, o.amount_minor)
            ELSE 0 END
    FROM operation o WHERE o.id = i.operation_id
    """,
    migrations.RunSQL.noop,
)

# Deferred: the item closes in the same statement in which its operation ends.
CLOSED = migrations.RunSQL(
    f"""
    CREATE FUNCTION counterfoil_review_item_closed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.decision = 'ANSWERED' THEN
            IF NEW.proposal_id IS NULL AND NOT EXISTS (
                    SELECT FROM operation WHERE id = NEW.operation_id AND NOT state = ANY ('{{{",".join(sorted(TERMINAL_OPERATION))}}}'))
                AND NOT EXISTS (SELECT FROM provider_event WHERE id = NEW.event_id AND state NOT IN ('ACTED', 'IGNORED', 'UNMATCHED')) THEN
                RETURN NULL;
            END IF;
        ELSIF EXISTS (SELECT FROM proposal WHERE id = NEW.proposal_id AND state = 'EXECUTED' AND subject_id = NEW.id
                          AND kind = 'review.' || lower(NEW.decision)) THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION 'review item % is closed neither by an approved proposal nor by an answer', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'review_item_needs_approval';
    END $$;
    CREATE CONSTRAINT TRIGGER review_item_needs_approval AFTER INSERT OR UPDATE ON review_item
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'CLOSED') EXECUTE FUNCTION counterfoil_review_item_closed();
    ALTER TABLE review_item ENABLE ALWAYS TRIGGER review_item_needs_approval;

    CREATE FUNCTION counterfoil_review_item_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'review item % is closed', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'review_item_closed_once';
    END $$;
    CREATE TRIGGER review_item_closed_once BEFORE UPDATE ON review_item
        FOR EACH ROW WHEN (OLD.state = 'CLOSED') EXECUTE FUNCTION counterfoil_review_item_final();
    ALTER TABLE review_item ENABLE ALWAYS TRIGGER review_item_closed_once;
    """,
    """
    DROP TRIGGER review_item_needs_approval ON review_item;
    DROP TRIGGER review_item_closed_once ON review_item;
    DROP FUNCTION counterfoil_review_item_closed, counterfoil_review_item_final;
    """,
)


def decided_moves(table: str, column: str, moves: set[tuple[str, str]], payments: str) -> migrations.RunSQL:
    """Refuse `moves` unless an executed proposal is about a review item of one of `payments` (a SQL subquery over NEW)."""
    listed = ", ".join(sorted(f"('{before}', '{after}')" for before, after in moves))
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {table}_decided_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM review_item i JOIN proposal p ON p.subject_id = i.id AND p.state = 'EXECUTED'
                           WHERE p.kind LIKE 'review.%%' AND i.payment_id IN ({payments})) THEN
                RAISE EXCEPTION '% of {table} % goes from % to % only by a decision of two people',
                    '{column}', OLD.id, OLD.{column}, NEW.{column}
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{table}_decided_moves';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER {table}_decided_moves BEFORE UPDATE OF {column} ON {table}
            FOR EACH ROW WHEN ((OLD.{column}, NEW.{column}) IN ({listed})) EXECUTE FUNCTION {table}_decided_moves();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_decided_moves;
        """.replace("%%", "%"),
        f"DROP TRIGGER {table}_decided_moves ON {table}; DROP FUNCTION {table}_decided_moves;",
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0015_review_decisions")]
    operations = [
        FILL,
        CLOSED,
        no_delete("review_item"),
        listed_moves("review_item", "state", REVIEW_MOVES),
        fixed_columns("review_item", ["kind", "payment_id", "operation_id", "event_id", "details", "opened_at"]),
        listed_moves("transaction", "status", TRANSACTION_MOVES),
        listed_moves("payment", "state", PAYMENT_MOVES),
        listed_moves("refund", "state", REFUND_MOVES),
        decided_moves("payment", "state", DECIDED_PAYMENT_MOVES, "NEW.id"),
        decided_moves(
            "transaction", "status", DECIDED_TRANSACTION_MOVES, "SELECT id FROM payment WHERE transaction_id = NEW.id"
        ),
        decided_moves("refund", "state", DECIDED_REFUND_MOVES, "NEW.payment_id"),
    ]
