"""Terms pay to an account of their own merchant, in their mode and currency."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0022_settlement_line_entries")]
    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION settlement_terms_own_account() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NOT EXISTS (SELECT FROM account a WHERE a.id = NEW.account_id
                        AND (a.merchant_id, a.live, a.currency) = (NEW.merchant_id, NEW.live, NEW.currency)) THEN
                    RAISE EXCEPTION 'account % is not of the merchant of these terms', NEW.account_id
                        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_terms_own_account';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER settlement_terms_own_account BEFORE INSERT ON settlement_terms
                FOR EACH ROW WHEN (NEW.account_id IS NOT NULL) EXECUTE FUNCTION settlement_terms_own_account();
            ALTER TABLE settlement_terms ENABLE ALWAYS TRIGGER settlement_terms_own_account;
            """,
            """
            DROP TRIGGER settlement_terms_own_account ON settlement_terms;
            DROP FUNCTION settlement_terms_own_account;
            """,
        )
    ]
