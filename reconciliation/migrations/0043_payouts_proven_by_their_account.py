"""A payout is proven only by lines of the account that it was paid from."""

from django.db import migrations

_MATCH = migrations.RunSQL(
    """
    CREATE FUNCTION payout_match_of_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM payout p JOIN payout_file f ON f.id = p.file_id
                JOIN reconciliation_bank_match m ON m.group_id = NEW.group_id JOIN bank_line l ON l.id = m.bank_line_id
                WHERE p.id = NEW.payout_id AND (l.provider, l.account_key, l.end_to_end_id, l.currency, l.amount_minor)
                    = (f.source, f.account_key, p.end_to_end_id, p.currency, -p.amount_minor)) THEN
            RAISE EXCEPTION 'payout % is proven only by a line of the account that it was paid from', NEW.payout_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_match_of_its_account';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER payout_match_of_its_account BEFORE INSERT ON reconciliation_bank_match
        FOR EACH ROW WHEN (NEW.payout_id IS NOT NULL) EXECUTE FUNCTION payout_match_of_its_account();
    ALTER TABLE reconciliation_bank_match ENABLE ALWAYS TRIGGER payout_match_of_its_account;
    """,
    "DROP TRIGGER payout_match_of_its_account ON reconciliation_bank_match; DROP FUNCTION payout_match_of_its_account;",
)

_RETURNED_BY = """
    CREATE OR REPLACE FUNCTION payout_is_proven() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM proposal WHERE id = NEW.confirmed_by_id AND state = 'EXECUTED' AND subject_id = NEW.id
                AND kind = CASE NEW.state WHEN 'PAID' THEN 'payout.confirm_paid' ELSE 'payout.confirm_returned' END) THEN
            RETURN NEW;
        END IF;
        IF NEW.state = 'PAID' AND EXISTS (SELECT FROM reconciliation_bank_match WHERE payout_id = NEW.id) THEN
            RETURN NEW;
        END IF;
        IF NEW.state = 'RETURNED' AND EXISTS (
                SELECT FROM reconciliation_bank_match m JOIN bank_line l ON l.id = m.bank_line_id {account}
                WHERE l.id = NEW.returned_line_id AND (l.end_to_end_id, l.currency, l.amount_minor)
                    = (NEW.end_to_end_id, NEW.currency, NEW.amount_minor)) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'payout % is % only when the bank or two people say so', NEW.id, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_is_proven';
    END $$;
"""
_OF_ITS_ACCOUNT = "JOIN payout_file f ON f.id = NEW.file_id AND (f.source, f.account_key) = (l.provider, l.account_key)"


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0042_bank_line_by_reference")]
    operations = [
        _MATCH,
        migrations.RunSQL(_RETURNED_BY.format(account=_OF_ITS_ACCOUNT), _RETURNED_BY.format(account="")),
    ]
