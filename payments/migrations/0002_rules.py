"""What must hold whoever writes: listed moves, final states, balanced and append-only books, nothing financial deleted."""

from django.db import migrations

from common.triggers import append_only, listed_moves, no_delete
from payments.states import OPERATION_MOVES, PAYMENT_MOVES, REFUND_MOVES, TRANSACTION_MOVES

BALANCED = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        entry text := CASE TG_TABLE_NAME WHEN 'posting' THEN to_jsonb(NEW) ->> 'entry_id' ELSE to_jsonb(NEW) ->> 'id' END;
        legs bigint;
        unbalanced text;
    BEGIN
        SELECT sum(n), string_agg(currency, ', ') FILTER (WHERE total <> 0) INTO legs, unbalanced
        FROM (SELECT currency, sum(amount_minor) AS total, count(*) AS n FROM posting WHERE entry_id = entry GROUP BY currency) c;
        IF coalesce(legs, 0) < 2 THEN
            RAISE EXCEPTION 'journal entry % has % postings, it needs two at least', entry, coalesce(legs, 0)
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_entry_balances';
        END IF;
        IF unbalanced IS NOT NULL THEN
            RAISE EXCEPTION 'journal entry % does not balance in %', entry, unbalanced
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_entry_balances';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER journal_entry_balances AFTER INSERT ON journal_entry
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION counterfoil_entry_balances();
    CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON posting
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION counterfoil_entry_balances();
    ALTER TABLE journal_entry ENABLE ALWAYS TRIGGER journal_entry_balances;
    ALTER TABLE posting ENABLE ALWAYS TRIGGER posting_balances;

    CREATE FUNCTION counterfoil_posting_currency() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.currency <> (SELECT currency FROM ledger_account WHERE code = NEW.account_id) THEN
            RAISE EXCEPTION 'account % is not kept in %', NEW.account_id, NEW.currency
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_currency_of_account';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER posting_currency_of_account AFTER INSERT ON posting
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION counterfoil_posting_currency();
    ALTER TABLE posting ENABLE ALWAYS TRIGGER posting_currency_of_account;
    """,
    """
    DROP TRIGGER journal_entry_balances ON journal_entry;
    DROP TRIGGER posting_balances ON posting;
    DROP TRIGGER posting_currency_of_account ON posting;
    DROP FUNCTION counterfoil_entry_balances, counterfoil_posting_currency;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("common", "0002_rules")]
    operations = [
        BALANCED,
        append_only("journal_entry"),
        append_only("posting"),
        no_delete("transaction"),
        no_delete("payment"),
        no_delete("operation"),
        no_delete("refund"),
        no_delete("provider_event"),
        listed_moves("transaction", "status", TRANSACTION_MOVES),
        listed_moves("payment", "state", PAYMENT_MOVES),
        listed_moves("operation", "state", OPERATION_MOVES),
        listed_moves("refund", "state", REFUND_MOVES),
    ]
