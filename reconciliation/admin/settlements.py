"""Settlements, their lines and reserves, and the terms, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, state, when
from reconciliation.models import ReserveRelease, Settlement, SettlementLine, SettlementTerms

MERCHANT = ("merchant", RelatedDropdownFilter)


@column("net_money", "Net")
def line_net(line: SettlementLine) -> Any:
    return html.money(line.net_minor, line.settlement.currency)


def _of_settlement(field: str, label: str) -> Any:
    """An amount of a line, in the currency of its settlement."""

    @column(f"{field}_money", label)
    def read(line: SettlementLine) -> Any:
        minor = getattr(line, field)
        return html.money(minor, line.settlement.currency) if minor else html.EMPTY

    return read


@admin.register(Settlement)
class SettlementAdmin(ConsoleAdmin):
    list_display = (
        day("day", "Day"),
        related("merchant", "Merchant"),
        state("state"),
        money("gross_minor", "Gross"),
        money("fee_minor", "Fees"),
        money("net_minor", "Net", sortable=True),
        day("pay_on", "Pay on"),
        mode(),
    )
    list_filter = (("state", ChoicesDropdownFilter), MERCHANT, "currency", "live", ("day", RangeDateFilter))
    list_select_related = ("merchant",)
    search_fields = ("=id", "=merchant__code")
    search_help_text = "Settlement or merchant code"
    ordering = ("-day", "-id")
    details = (
        (
            None,
            (
                reference("id", "Settlement"),
                related("merchant", "Merchant"),
                mode(),
                state("state"),
                day("day", "Closing day"),
                when("period_from", "From"),
                when("period_to", "To"),
                day("pay_on", "Pay on"),
            ),
        ),
        (
            "Amounts",
            (
                money("gross_minor", "Gross"),
                money("refund_minor", "Refunds"),
                money("dispute_minor", "Disputes"),
                money("fee_minor", "Fees"),
                money("reserve_held_minor", "Reserve held back"),
                money("reserve_released_minor", "Reserve released"),
                money("adjustment_minor", "Adjustments"),
                money("carried_over_minor", "Carried over"),
                money("net_minor", "Net"),
            ),
        ),
        (
            "Of which fees",
            (
                money("fee_percentage_minor", "By percentage"),
                money("fee_fixed_minor", "Fixed"),
                money("fee_limit_minor", "By minimum and maximum"),
                money("fee_other_minor", "Other"),
            ),
        ),
        (
            "Books",
            (related("entry", "Booked"), related("terms", "Terms"), related("carried_from", "Carried over from")),
        ),
    )


@admin.register(SettlementLine)
class SettlementLineAdmin(ConsoleAdmin):
    list_display = (
        related("entry", "Entry", text="entry__fact_name"),
        related("entry__transaction", "Transaction"),
        when("booked_at", "Booked"),
        _of_settlement("gross_minor", "Gross"),
        _of_settlement("refund_minor", "Refund"),
        _of_settlement("dispute_minor", "Dispute"),
        _of_settlement("fee_minor", "Fee"),
        _of_settlement("adjustment_minor", "Adjustment"),
        line_net,
        related("settlement", "Settlement"),
    )
    list_select_related = ("settlement", "entry__transaction")
    search_fields = ("=settlement__id", "=entry__id", "=entry__transaction__id")
    search_help_text = "Settlement, entry or transaction"
    ordering = ("-entry",)
    details = (
        (
            None,
            (
                related("settlement", "Settlement"),
                related("entry", "Entry", text="entry__fact_name"),
                related("entry__transaction", "Transaction"),
                when("booked_at", "Booked"),
            ),
        ),
        (
            "Amounts",
            (
                _of_settlement("gross_minor", "Gross"),
                _of_settlement("refund_minor", "Refund"),
                _of_settlement("dispute_minor", "Dispute"),
                _of_settlement("fee_minor", "Fee"),
                _of_settlement("adjustment_minor", "Adjustment"),
                line_net,
            ),
        ),
    )


@column("released_money", "Released")
def released(release: ReserveRelease) -> Any:
    return html.money(release.amount_minor, release.held_by.currency)


@admin.register(ReserveRelease)
class ReserveReleaseAdmin(ConsoleAdmin):
    list_display = (
        related("held_by", "Held back by"),
        related("held_by__merchant", "Merchant"),
        released,
        related("released_by", "Released by"),
    )
    list_select_related = ("held_by__merchant", "released_by")
    search_fields = ("=held_by__id", "=released_by__id", "=held_by__merchant__code")
    search_help_text = "Settlement or merchant code"
    ordering = ("-held_by",)
    details = ((None, (related("held_by", "Held back by"), released, related("released_by", "Released by"))),)


@admin.register(SettlementTerms)
class SettlementTermsAdmin(ConsoleAdmin):
    list_display = (
        related("merchant", "Merchant"),
        "currency",
        mode(),
        "version",
        "cycle",
        "cut_off",
        "pay_after_days",
        "pay_to",
        when("created_at", "Since"),
    )
    list_filter = (MERCHANT, "currency", "live", ("cycle", ChoicesDropdownFilter))
    list_select_related = ("merchant",)
    search_fields = ("=id", "=merchant__code")
    search_help_text = "Terms or merchant code"
    ordering = ("merchant__code", "currency", "-version")
    details = (
        (None, (related("merchant", "Merchant"), "currency", mode(), "version")),
        ("Period", ("cycle", "weekday", "cut_off", "pay_after_days", "only_proven")),
        (
            "Reserve and payout",
            ("reserve_basis_points", "reserve_days", money("minimum_payout_minor", "Minimum payout")),
        ),
        ("Paid to", ("pay_to", related("account", "Account"), "bank_hint")),
        ("Why", ("reason", "created_by", when("created_at", "Since"))),
    )
