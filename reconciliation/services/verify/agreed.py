"""Prices, tolerances, terms and accounts are what two people agreed on last (common/books.py, common/agreed.py)."""

from __future__ import annotations

from common.books import Asked, Found, check, query
from payments.models.fee import FEE_PLAN_AGREED
from payments.services.fee_plans import SET as FEE_PLAN
from reconciliation.models.source import MAPPING_AGREED
from reconciliation.models.terms import TERMS_AGREED
from reconciliation.services.mappings import MAP
from reconciliation.services.settings import SETTINGS
from reconciliation.services.terms import SET as TERMS

# kind -> (table, key column, columns, whether each agreement is a row of its own)
_AGREED = {each.kind: (each.model._meta.db_table, each.key, each.columns, False) for each in SETTINGS} | {
    TERMS: ("settlement_terms", "id", TERMS_AGREED, True),
    MAP: ("reconciliation_source_mapping", "id", MAPPING_AGREED, True),
    FEE_PLAN: ("fee_plan", "id", FEE_PLAN_AGREED, True),
}
_OF_A_KIND = """
    SELECT CASE WHEN r.key IS NULL THEN concat('no row of {table} is what proposal ', p.id, ' agreed on last: ', p.summary)
                ELSE concat('{table} ', r.key, ' is not what proposal ', coalesce(r.proposal_id, 'none'), ' agreed on') END
    FROM (SELECT {latest} id, summary FROM proposal WHERE kind = '{kind}' AND state = 'EXECUTED' ORDER BY subject_id, decided_at DESC) p
    FULL JOIN (SELECT t.{key}::text AS key, t.proposal_id, a.id AS agreed,
                      coalesce((SELECT bool_and(to_jsonb(t) -> c IS NOT DISTINCT FROM coalesce(a.parameters -> 'row' -> c, 'null'))
                                FROM unnest('{{{columns}}}'::text[]) c), false) AS same
               FROM {table} t LEFT JOIN proposal a ON a.id = t.proposal_id AND a.state = 'EXECUTED' AND a.kind = '{kind}'
                    AND a.decided_by_id <> a.proposed_by_id
               WHERE t.proposal_id IS NOT NULL) r ON r.proposal_id = p.id
    WHERE r.key IS NULL OR p.id IS NULL OR r.agreed IS NULL OR NOT r.same
"""


@check
def what_two_people_agreed_on_stands(asked: Asked) -> Found:
    """Sources, our accounts, merchants' terms and prices are, column by column, what two people agreed on last."""
    kinds = ", ".join(f"'{kind}'" for kind in _AGREED)
    return query(
        examined=f"proposal WHERE state = 'EXECUTED' AND kind IN ({kinds})",
        violations=" UNION ALL ".join(
            _OF_A_KIND.format(
                table=table,
                key=key,
                kind=kind,
                columns=",".join(columns),
                latest="" if own_row else "DISTINCT ON (subject_id)",
            )
            for kind, (table, key, columns, own_row) in _AGREED.items()
        ),
    )
