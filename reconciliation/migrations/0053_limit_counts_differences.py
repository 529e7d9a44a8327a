"""A difference that books nothing vanishes too: the limit of what may be written off counts it."""

from __future__ import annotations

from django.db import migrations

# What vanishes: what a proposal books on the accounts for differences (claims.COUNTER_ACCOUNTS), the difference that it lets pass, which books nothing
# where the account is not ours, and the fees beside the contract that it accepts.
_WITHIN = """
    CREATE OR REPLACE FUNCTION proposal_within_write_off_limit() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE above record;
    BEGIN
        SELECT v.currency, v.minor INTO above FROM (
            SELECT leg ->> 'currency' AS currency, abs((leg ->> 'minor')::bigint) AS minor
            FROM jsonb_array_elements(NEW.parameters -> 'legs') leg
            WHERE leg ->> 'kind' IN ('differences', 'provider_fees', 'bank_charges', 'fx_clearing')DIFFERENCES
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
"""
_DIFFERENCES = """
            UNION ALL
            SELECT d.currency, abs(d.minor::bigint) FROM jsonb_each_text(NEW.parameters -> 'differences') AS d (currency, minor)
            WHERE NEW.kind IN ('break.match', 'break.adjust', 'break.write_off')"""


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0052_payouts_that_left_once_more")]

    operations = [migrations.RunSQL(_WITHIN.replace("DIFFERENCES", _DIFFERENCES), _WITHIN.replace("DIFFERENCES", ""))]
