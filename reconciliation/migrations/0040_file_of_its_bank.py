"""A payment file says from which account of ours it is paid, for ever: the bank for payouts may be another one by tomorrow.

Files that are there get the account that two people had agreed on when the file was made.
"""

from django.db import migrations, models

from common.triggers import fixed_columns

_FIXED = (
    *("bank_id", "message_id", "live", "currency", "pay_on", "payout_count", "total_minor"),
    *("content_sealed", "sha256"),
)

_FILL = migrations.RunSQL(
    """
    UPDATE payout_file f SET source = agreed.source, account_key = agreed.account_key
    FROM (
        SELECT m.id, coalesce(p.row ->> 'source', b.source) AS source, coalesce(p.row ->> 'account_key', b.account_key) AS account_key
        FROM payout_file m JOIN payout_bank b ON b.id = m.bank_id
        LEFT JOIN LATERAL (
            SELECT parameters -> 'row' AS row FROM proposal
            WHERE kind = 'payout_bank.set' AND state = 'EXECUTED' AND decided_at <= m.created_at
                AND parameters -> 'row' -> 'live' = to_jsonb(m.live) AND parameters -> 'row' ->> 'currency' = m.currency
            ORDER BY decided_at DESC, id DESC LIMIT 1
        ) p ON true
    ) agreed WHERE agreed.id = f.id
    """,
    migrations.RunSQL.noop,
)

_OF_ITS_BANK = migrations.RunSQL(
    """
    CREATE FUNCTION payout_file_of_its_bank() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM payout_bank b WHERE b.id = NEW.bank_id
                AND (b.live, b.currency, b.source, b.account_key) = (NEW.live, NEW.currency, NEW.source, NEW.account_key)) THEN
            RAISE EXCEPTION 'payment file % is not from the account that payouts are made from', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_file_of_its_bank';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER payout_file_of_its_bank BEFORE INSERT ON payout_file FOR EACH ROW EXECUTE FUNCTION payout_file_of_its_bank();
    ALTER TABLE payout_file ENABLE ALWAYS TRIGGER payout_file_of_its_bank;
    """,
    "DROP TRIGGER payout_file_of_its_bank ON payout_file; DROP FUNCTION payout_file_of_its_bank;",
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0039_references_all_at_once")]

    operations = [
        migrations.AddField(
            "payoutfile", "source", models.CharField(max_length=20, default=""), preserve_default=False
        ),
        migrations.AddField(
            "payoutfile", "account_key", models.CharField(max_length=60, default=""), preserve_default=False
        ),
        _FILL,
        migrations.RunSQL(
            fixed_columns("payout_file", (*_FIXED, "source", "account_key")).sql,
            fixed_columns("payout_file", _FIXED).sql,
        ),
        _OF_ITS_BANK,
    ]
