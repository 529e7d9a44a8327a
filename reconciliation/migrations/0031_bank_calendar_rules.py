"""Bank holidays are what two people agreed on; so is whose holidays a source and a merchant's terms go by."""

from django.db import migrations
from django.db.migrations import RunSQL

from common.triggers import as_agreed, no_delete

_SOURCE = (
    *(
        "code",
        "side",
        "format",
        "zone",
        "due_days",
        "due_time",
        "remit_days",
        "amount_tolerance_minor",
        "day_tolerance",
    ),
    *("approved", "fee_basis_points", "fee_fixed_minor", "fee_fixed_business_minor", "fetch_url", "is_active"),
)
_TERMS = (
    *("id", "merchant_id", "live", "currency", "version", "cycle", "weekday", "cut_off", "pay_after_days"),
    *("reserve_basis_points", "reserve_days", "minimum_payout_minor", "only_proven"),
    *("pay_to", "account_id", "bank_sealed", "bank_hint"),
)
_NEW_SOURCE = """
    NEW.proposal_id IS NOT NULL OR NEW.code NOT IN ('fpx', 'migs', 'vnpay', 'amk')
    AND (NEW.due_days, NEW.due_time, NEW.remit_days, NEW.amount_tolerance_minor, NEW.day_tolerance, NEW.approved, NEW.fee_basis_points,
         NEW.fee_fixed_minor, NEW.fee_fixed_business_minor{}) IS DISTINCT FROM (1, '06:00'::time, 1, 0, 3, '', 0, 0, 0{})
"""


def _with_calendar(
    table: str, kind: str, columns: tuple[str, ...], before: str = "true", after: str = "true"
) -> RunSQL:
    return RunSQL(
        as_agreed(table, kind, (*columns, "calendar_id"), insert=after).sql,
        as_agreed(table, kind, columns, insert=before).sql,
    )


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0030_bank_calendars")]
    operations = [
        no_delete("bank_calendar"),
        as_agreed("bank_calendar", "bank_calendar.set", ("code", "name", "holidays")),
        _with_calendar(
            "reconciliation_source",
            "source.set",
            _SOURCE,
            _NEW_SOURCE.format("", ""),
            _NEW_SOURCE.format(", NEW.calendar_id", ", NULL::varchar"),
        ),
        _with_calendar("settlement_terms", "settlement_terms.set", _TERMS),
    ]
