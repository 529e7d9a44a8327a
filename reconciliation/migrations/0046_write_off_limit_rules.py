"""How much may be written off is what two people agreed on, and who may not write off any amount proposes no more."""

from django.db import migrations

from common.triggers import as_agreed, no_delete

# What the product begins with (reconciliation/limits.py) needs no agreement.
_NEW = """
    NEW.proposal_id IS NOT NULL OR (NEW.currency, NEW.limit_minor) NOT IN (
        ('MYR', 50000), ('USD', 10000), ('EUR', 10000), ('SGD', 15000), ('VND', 3000000), ('KHR', 50000000))
"""

# What vanishes: what a proposal books on the accounts for differences (claims.COUNTER_ACCOUNTS), and the fees beside the contract that it accepts.
_WITHIN = migrations.RunSQL(
    """
    CREATE FUNCTION proposal_within_write_off_limit() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE above record;
    BEGIN
        SELECT v.currency, v.minor INTO above FROM (
            SELECT leg ->> 'currency' AS currency, abs((leg ->> 'minor')::bigint) AS minor
            FROM jsonb_array_elements(NEW.parameters -> 'legs') leg
            WHERE leg ->> 'kind' IN ('differences', 'provider_fees', 'bank_charges', 'fx_clearing')
            UNION ALL
            SELECT b.their_currency, abs(coalesce(b.their_minor, 0) - coalesce(b.our_minor, 0)) FROM reconciliation_break b
            WHERE b.kind = 'FEE_MISMATCH'
                AND b.id IN (SELECT ended::bigint FROM jsonb_array_elements_text(NEW.parameters -> 'breaks') ended)
        ) v LEFT JOIN write_off_limit l ON l.currency = v.currency
        WHERE v.minor > coalesce(l.limit_minor, 0) LIMIT 1;
        IF FOUND AND NOT counterfoil_may(NEW.proposed_by_id, 'reconciliation.write_off_any_break') THEN
            RAISE EXCEPTION 'user % may not let % % vanish', NEW.proposed_by_id, above.minor, above.currency
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_within_write_off_limit';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER proposal_within_write_off_limit BEFORE INSERT ON proposal
        FOR EACH ROW WHEN (NEW.kind IN ('break.match', 'break.adjust', 'break.write_off'))
        EXECUTE FUNCTION proposal_within_write_off_limit();
    ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_within_write_off_limit;
    """,
    "DROP TRIGGER proposal_within_write_off_limit ON proposal; DROP FUNCTION proposal_within_write_off_limit;",
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0045_write_off_limits")]
    operations = [
        no_delete("write_off_limit"),
        as_agreed("write_off_limit", "write_off_limit.set", ("currency", "limit_minor"), insert=_NEW),
        _WITHIN,
    ]
