"""What another account of ours has paid proves a payout if two people say of that very line that it does."""

from importlib import import_module

from django.db import migrations

from common.triggers import needs_approval

_BREAK_ACTS = ("break.match", "break.adjust", "break.write_off", "break.dispute")
_BEFORE = import_module("reconciliation.migrations.0043_payouts_proven_by_their_account")._MATCH
_AFTER = """
    CREATE OR REPLACE FUNCTION payout_match_of_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM payout p JOIN payout_file f ON f.id = p.file_id
                JOIN reconciliation_match_group g ON g.id = NEW.group_id
                JOIN reconciliation_bank_match m ON m.group_id = g.id JOIN bank_line l ON l.id = m.bank_line_id
                LEFT JOIN proposal c ON c.id = g.proposal_id AND c.kind = 'payout.confirm_paid' AND c.state = 'EXECUTED'
                    AND c.id = p.confirmed_by_id AND c.subject_id = p.id AND c.parameters ->> 'bank_line' = l.id::text
                WHERE p.id = NEW.payout_id
                    AND (l.end_to_end_id, l.currency, l.amount_minor) = (p.end_to_end_id, p.currency, -p.amount_minor)
                    AND ((l.provider, l.account_key) = (f.source, f.account_key) OR c.id IS NOT NULL)) THEN
            RAISE EXCEPTION 'payout % is proven only by a line of the account that it was paid from', NEW.payout_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_match_of_its_account';
        END IF;
        RETURN NEW;
    END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0047_bank_line_of_a_day")]
    operations = [
        migrations.RunSQL(_AFTER, f"{_BEFORE.reverse_sql} {_BEFORE.sql}"),
        migrations.RunSQL(
            needs_approval(
                "reconciliation_match_group",
                "proposal_id",
                (*_BREAK_ACTS, "payout.confirm_paid"),
                when="NEW.proposal_id IS NOT NULL",
            ).sql,
            needs_approval(
                "reconciliation_match_group", "proposal_id", _BREAK_ACTS, when="NEW.proposal_id IS NOT NULL"
            ).sql,
        ),
    ]
