"""Rows that belong together are one merchant's, in one mode: payment and account, refund and payment, operation and refund, transfer
and accounts, question and operation.

Row triggers that fire at the end of the statement rather than composite keys: those would need a merchant, a mode and one more index on
each row of the hot path. What a row is compared by does not change afterwards.
"""

from django.db import migrations

from common.triggers import fixed_columns


def agrees(table: str, name: str, rule: str, *, when: str = "true", columns: str = "") -> migrations.RunSQL:
    """Refuse a row of which `when` holds and `rule` (SQL over NEW) does not, when it is added or one of `columns` changes."""
    event = f"INSERT OR UPDATE OF {columns}" if columns else "INSERT"
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS ({rule}) THEN
                RAISE EXCEPTION '{table} % refers to another merchant, mode or payment', NEW.id
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};
        """,
        f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name};",
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0023_transfer_run_rules"), ("merchants", "0004_held_answers")]
    operations = [
        agrees(
            "payment",
            "payment_within_its_merchant",
            """SELECT FROM transaction t JOIN provider_account a ON a.id = NEW.provider_account_id
               WHERE t.id = NEW.transaction_id AND (t.merchant_id, t.live, t.currency) = (a.merchant_id, a.live, NEW.currency)""",
            columns="provider_account_id",
        ),
        agrees(
            "refund",
            "refund_of_its_transactions_payment",
            """SELECT FROM transaction t LEFT JOIN payment p ON p.id = NEW.payment_id
               WHERE t.id = NEW.transaction_id AND t.currency = NEW.currency
                   AND CASE WHEN t.from_account_id IS NULL THEN p.transaction_id = t.id ELSE NEW.payment_id IS NULL END""",
        ),
        agrees(
            "operation",
            "operation_of_its_payments_refund",
            "SELECT FROM refund r WHERE r.id = NEW.refund_id AND r.payment_id = NEW.payment_id",
            when="NEW.refund_id IS NOT NULL",
        ),
        agrees(
            "transaction",
            "transfer_within_its_merchant",
            """SELECT FROM account a WHERE a.id IN (NEW.from_account_id, NEW.to_account_id)
                   AND (a.merchant_id, a.live, a.currency) = (NEW.merchant_id, NEW.live, NEW.currency)
               HAVING count(*) = 2""",
            when="NEW.from_account_id IS NOT NULL",
            columns="from_account_id, to_account_id",
        ),
        agrees(
            "review_item",
            "review_item_of_its_payments_operation",
            "SELECT FROM operation o WHERE o.id = NEW.operation_id AND o.payment_id = NEW.payment_id",
            when="NEW.operation_id IS NOT NULL",
        ),
        fixed_columns("account", ["merchant_id", "live", "currency"]),
        fixed_columns("provider_account", ["merchant_id", "live", "provider"]),
    ]
