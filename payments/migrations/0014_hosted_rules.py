"""Only a hosted transaction waits again after a payment, has another payment, and gets its method from its payer (docs/adr/0008)."""

from django.db import migrations

from common.triggers import fixed_columns, listed_moves
from payments.states import TRANSACTION_MOVES

HOSTED = migrations.RunSQL(
    """
    CREATE FUNCTION transaction_only_hosted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'transaction % (% > %, method % > %) is not one whose payer may choose again',
                        OLD.id, OLD.status, NEW.status, OLD.method, NEW.method
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END $$;
    CREATE TRIGGER transaction_waits_again_only_if_hosted BEFORE UPDATE OF status ON transaction
        FOR EACH ROW WHEN (OLD.status = 'PROCESSING' AND NEW.status = 'PENDING' AND NOT OLD.hosted)
        EXECUTE FUNCTION transaction_only_hosted();
    CREATE TRIGGER transaction_method_chosen_only_if_hosted BEFORE UPDATE OF method ON transaction
        FOR EACH ROW WHEN (OLD.method IS DISTINCT FROM NEW.method
                           AND NOT (OLD.hosted AND OLD.status = 'PENDING' AND NEW.status = 'PENDING' AND NEW.method <> ''))
        EXECUTE FUNCTION transaction_only_hosted();
    ALTER TABLE transaction ENABLE ALWAYS TRIGGER transaction_waits_again_only_if_hosted;
    ALTER TABLE transaction ENABLE ALWAYS TRIGGER transaction_method_chosen_only_if_hosted;

    CREATE FUNCTION payment_again_only_if_hosted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM transaction WHERE id = NEW.transaction_id AND hosted AND status = 'PENDING') THEN
            RAISE EXCEPTION 'transaction % does not take a payment number %', NEW.transaction_id, NEW.attempt
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_again_only_if_hosted';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER payment_again_only_if_hosted BEFORE INSERT ON payment
        FOR EACH ROW WHEN (NEW.attempt > 1) EXECUTE FUNCTION payment_again_only_if_hosted();
    ALTER TABLE payment ENABLE ALWAYS TRIGGER payment_again_only_if_hosted;
    """,
    """
    DROP TRIGGER transaction_waits_again_only_if_hosted ON transaction;
    DROP TRIGGER transaction_method_chosen_only_if_hosted ON transaction;
    DROP FUNCTION transaction_only_hosted;
    DROP TRIGGER payment_again_only_if_hosted ON payment;
    DROP FUNCTION payment_again_only_if_hosted;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0013_method_of_payments")]
    operations = [
        HOSTED,
        listed_moves("transaction", "status", TRANSACTION_MOVES),
        fixed_columns(
            "transaction",
            ["merchant_id", "live", "hosted", "manual_capture", "currency", "amount_minor", "external_reference"],
        ),
        fixed_columns("payment", ["transaction_id", "method", "currency", "amount_minor", "payment_trans_id"]),
    ]
