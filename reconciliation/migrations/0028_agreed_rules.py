"""What decides whether there is a difference, our accounts and merchants' terms are what two people agreed on; what was there before stays as it is."""

from django.db import migrations

from common.triggers import as_agreed, no_delete

# A new source begins with the defaults, which any one person may add: it has no lines yet. Those of the product begin with their contracts.
_NEW_SOURCE = """
    NEW.proposal_id IS NOT NULL OR NEW.code NOT IN ('fpx', 'migs', 'vnpay', 'amk')
    AND (NEW.due_days, NEW.due_time, NEW.remit_days, NEW.amount_tolerance_minor, NEW.day_tolerance, NEW.approved, NEW.fee_basis_points,
         NEW.fee_fixed_minor, NEW.fee_fixed_business_minor) IS DISTINCT FROM (1, '06:00'::time, 1, 0, 3, '', 0, 0, 0)
"""
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


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0027_agreed_by_two"), ("common", "0005_as_agreed")]
    operations = [
        no_delete("payout_bank"),
        as_agreed("reconciliation_source", "source.set", _SOURCE, insert=_NEW_SOURCE),
        as_agreed(
            "bank_account", "bank_account.set", ("source_id", "account_key", "live", "currency", "holder", "bic")
        ),
        as_agreed(
            "payout_bank", "payout_bank.set", ("live", "currency", "source", "account_key", "name", "bic", "url")
        ),
        as_agreed("settlement_terms", "settlement_terms.set", _TERMS),
    ]
