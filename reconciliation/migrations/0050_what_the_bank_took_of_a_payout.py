"""A line proves a payout with what the bank says that it kept of it; two people may name one that is more or less, up to the limit of write-offs.

All lines of the payout's id count: it did not come back by a credit that only evens out what its account shows to have left once more.
"""

from importlib import import_module

from django.db import migrations

from common.triggers import needs_approval

_BREAK_ACTS = ("break.match", "break.adjust", "break.write_off", "break.dispute")
_ELSEWHERE = import_module("reconciliation.migrations.0048_payouts_paid_from_elsewhere")._AFTER
_BEFORE = import_module("reconciliation.migrations.0043_payouts_proven_by_their_account")

_MATCH = """
    CREATE OR REPLACE FUNCTION payout_match_of_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM payout p JOIN payout_file f ON f.id = p.file_id
                JOIN reconciliation_match_group g ON g.id = NEW.group_id
                JOIN reconciliation_bank_match m ON m.group_id = g.id
                JOIN bank_line l ON l.id = m.bank_line_id AND l.currency = p.currency
                LEFT JOIN proposal c ON c.id = g.proposal_id AND c.kind = 'payout.confirm_paid' AND c.state = 'EXECUTED'
                    AND c.subject_id = p.id AND c.parameters ->> 'bank_line' = l.id::text
                WHERE p.id = NEW.payout_id AND (c.id IS NOT NULL AND l.amount_minor <= -p.amount_minor
                    OR (l.provider, l.account_key, l.end_to_end_id) = (f.source, f.account_key, p.end_to_end_id)
                        AND -p.amount_minor IN (l.amount_minor, l.amount_minor + l.charges_minor))) THEN
            RAISE EXCEPTION 'payout % is proven only by a line of the account that it was paid from', NEW.payout_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_match_of_its_account';
        END IF;
        RETURN NEW;
    END $$;
"""

_PROVEN = """
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
                SELECT FROM reconciliation_bank_match m JOIN bank_line l ON l.id = m.bank_line_id
                JOIN payout_file f ON f.id = NEW.file_id AND (f.source, f.account_key) = (l.provider, l.account_key)
                WHERE l.id = NEW.returned_line_id AND (l.end_to_end_id, l.currency) = (NEW.end_to_end_id, NEW.currency)
                    AND NEW.amount_minor IN (l.amount_minor, l.amount_minor + l.charges_minor)
                    AND 0 <= (SELECT sum(sign(s.amount_minor)) FROM bank_line s JOIN statement t ON t.id = s.statement_id
                        WHERE t.live = NEW.live AND (s.provider, s.account_key, s.currency, s.end_to_end_id)
                            = (l.provider, l.account_key, l.currency, l.end_to_end_id)
                        AND (s.amount_minor <= -NEW.amount_minor
                            OR s.amount_minor > 0 AND s.amount_minor + s.charges_minor >= NEW.amount_minor))) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'payout % is % only when the bank or two people say so', NEW.id, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_is_proven';
    END $$;
"""


def _limited(kinds: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"""
        CREATE OR REPLACE TRIGGER proposal_within_write_off_limit BEFORE INSERT ON proposal
            FOR EACH ROW WHEN (NEW.kind IN ({listed})) EXECUTE FUNCTION proposal_within_write_off_limit();
        ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_within_write_off_limit;
    """


def _may_decide(kinds: tuple[str, ...]) -> str:
    return needs_approval("reconciliation_match_group", "proposal_id", kinds, when="NEW.proposal_id IS NOT NULL").sql  # type: ignore[return-value]


_CONFIRM = ("payout.confirm_paid", "payout.confirm_returned")


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0049_payout_refusals")]
    operations = [
        migrations.RunSQL(_MATCH, _ELSEWHERE),
        migrations.RunSQL(_PROVEN, _BEFORE._RETURNED_BY.format(account=_BEFORE._OF_ITS_ACCOUNT)),
        migrations.RunSQL(_may_decide((*_BREAK_ACTS, *_CONFIRM)), _may_decide((*_BREAK_ACTS, "payout.confirm_paid"))),
        migrations.RunSQL(_limited((*_BREAK_ACTS[:3], *_CONFIRM)), _limited(_BREAK_ACTS[:3])),
    ]
