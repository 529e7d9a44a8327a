"""A price is not edited, a fee that was charged not either; the tiers of a plan are in order."""

from django.db import migrations

from common.triggers import append_only

TIERS = migrations.RunSQL(
    """
    CREATE FUNCTION counterfoil_tiers_in_order(tiers jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN jsonb_typeof(tiers) <> 'array' THEN false ELSE (SELECT coalesce(bool_and(
            (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(t.tier) k) = ARRAY['basis_points', 'fixed_minor', 'from_minor']
            AND (tier ->> 'from_minor')::bigint >= 0 AND (t.number > 1 OR (tier ->> 'from_minor')::bigint = 0)
            AND (t.number = 1 OR (tier ->> 'from_minor')::bigint > (tiers -> (t.number - 2)::int ->> 'from_minor')::bigint)
            AND (tier ->> 'basis_points')::bigint BETWEEN 0 AND 10000 AND (tier ->> 'fixed_minor')::bigint >= 0), true)
        FROM jsonb_array_elements(tiers) WITH ORDINALITY t (tier, number)) END
    $$;
    ALTER TABLE fee_plan ADD CONSTRAINT fee_plan_tiers_in_order CHECK (counterfoil_tiers_in_order(tiers));
    """,
    """
    ALTER TABLE fee_plan DROP CONSTRAINT fee_plan_tiers_in_order;
    DROP FUNCTION counterfoil_tiers_in_order;
    """,
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0017_fee_plans")]
    operations = [TIERS, append_only("fee_plan"), append_only("fee_charge")]
