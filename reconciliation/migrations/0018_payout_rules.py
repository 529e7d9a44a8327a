"""A payout is decided by two people as it was proposed, and paid only when the bank or two people say so."""

from django.db import migrations

from common.triggers import fixed_columns, listed_moves, no_delete
from reconciliation.models.payout import FILE_MOVES, PAYOUT_MOVES

_RULES = migrations.RunSQL(
    """
    CREATE FUNCTION payout_of_its_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM settlement s WHERE s.id = NEW.settlement_id AND s.state = 'CREATED'
                AND (s.merchant_id, s.live, s.currency, s.net_minor) = (NEW.merchant_id, NEW.live, NEW.currency, NEW.amount_minor))
            OR NOT EXISTS (SELECT FROM settlement_terms t WHERE t.id = NEW.terms_id
                AND (t.merchant_id, t.live, t.currency) = (NEW.merchant_id, NEW.live, NEW.currency)
                AND t.account_id IS NOT DISTINCT FROM NEW.account_id)
            OR NEW.state <> 'PENDING_APPROVAL' THEN
            RAISE EXCEPTION 'payout % is not the net of its settlement to where the terms say', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_of_its_settlement';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER payout_of_its_settlement BEFORE INSERT ON payout FOR EACH ROW EXECUTE FUNCTION payout_of_its_settlement();
    ALTER TABLE payout ENABLE ALWAYS TRIGGER payout_of_its_settlement;

    CREATE FUNCTION payout_needs_approval() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM proposal WHERE id = NEW.proposal_id AND state = 'EXECUTED'
                AND kind IN ('payout.release', 'payout.release_large') AND parameters -> 'payouts' ? NEW.id) THEN
            RAISE EXCEPTION 'payout % needs an approved proposal', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_needs_approval';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER payout_needs_approval BEFORE INSERT OR UPDATE ON payout
        FOR EACH ROW WHEN (NEW.state NOT IN ('PENDING_APPROVAL', 'CANCELLED')) EXECUTE FUNCTION payout_needs_approval();
    ALTER TABLE payout ENABLE ALWAYS TRIGGER payout_needs_approval;

    CREATE FUNCTION payout_is_proven() RETURNS trigger LANGUAGE plpgsql AS $$
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
                WHERE l.id = NEW.returned_line_id AND (l.end_to_end_id, l.currency, l.amount_minor)
                    = (NEW.end_to_end_id, NEW.currency, NEW.amount_minor)) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'payout % is % only when the bank or two people say so', NEW.id, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payout_is_proven';
    END $$;
    CREATE TRIGGER payout_is_proven BEFORE UPDATE OF state ON payout
        FOR EACH ROW WHEN (NEW.way = 'BANK_FILE' AND NEW.state IN ('PAID', 'RETURNED') AND OLD.state <> NEW.state)
        EXECUTE FUNCTION payout_is_proven();
    ALTER TABLE payout ENABLE ALWAYS TRIGGER payout_is_proven;
    """,
    """
    DROP TRIGGER payout_is_proven ON payout;
    DROP TRIGGER payout_needs_approval ON payout;
    DROP TRIGGER payout_of_its_settlement ON payout;
    DROP FUNCTION payout_is_proven, payout_needs_approval, payout_of_its_settlement;
    """,
)

# What the approver of a payout relies on, as one row that a proposal can pin: the payout, its settlement, and that the terms are still the last.
_PINNED = migrations.RunSQL(
    """
    CREATE VIEW payout_pinned AS
    SELECT p.id, p.state, p.amount_minor, p.currency, p.live, p.way, p.account_id, p.bank_sealed, p.end_to_end_id,
           s.state AS settlement_state, s.net_minor,
           (SELECT t.id FROM settlement_terms t WHERE (t.merchant_id, t.live, t.currency) = (p.merchant_id, p.live, p.currency)
            ORDER BY t.version DESC LIMIT 1) AS terms_id
    FROM payout p JOIN settlement s ON s.id = p.settlement_id
    """,
    "DROP VIEW payout_pinned",
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0017_payouts")]
    operations = [
        no_delete("payout"),
        no_delete("payout_file"),
        listed_moves("payout", "state", PAYOUT_MOVES),
        listed_moves("payout_file", "state", FILE_MOVES),
        fixed_columns(
            "payout",
            [
                *("settlement_id", "merchant_id", "live", "currency", "amount_minor", "way", "terms_id", "account_id"),
                *("bank_sealed", "destination", "usable_from", "end_to_end_id"),
            ],
        ),
        fixed_columns(
            "payout_file",
            [
                *("bank_id", "message_id", "live", "currency", "pay_on", "payout_count", "total_minor"),
                *("content_sealed", "sha256"),
            ],
        ),
        _RULES,
        _PINNED,
    ]
