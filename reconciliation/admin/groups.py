"""Matches that needed a word: what belongs together, what was compared, what differs, and why the next best lost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.console import html
from common.console.base import ConsoleAdmin
from common.console.columns import column, reference, related, when
from common.console.search import ExactSearch
from reconciliation.admin.items import HEADS, item_rows
from reconciliation.models import BankMatch, Match, MatchGroup

_FIELDS = {
    "amount_minor": "Amount",
    "fee_minor": "Fee",
    "reference": "Our reference",
    "provider_reference": "Provider's reference",
    "end_to_end_id": "End-to-end id",
    "named": "Named in the bank's text",
    "days_apart": "Days apart",
}
_DIFFERENCES = {"amount": "Amount", "fee": "Fee", "charges": "The bank's charges"}


@column("items_table", "What belongs together")
def items(group: MatchGroup) -> Any:
    pairs = list(Match.objects.filter(group=group).values_list("line_id", "operation_id"))
    claims = list(group.bank_matches.values_list("bank_line_id", "remittance_id", "payout_id"))
    payout = group.explanation.get("payout")
    return html.table(
        HEADS,
        item_rows(
            lines=[line for line, _ in pairs if line],
            operations=[operation for _, operation in pairs if operation],
            bank_lines=[line for line, _, _ in claims if line],
            remittances=[remittance for _, remittance, _ in claims if remittance],
            payouts=[each for *_, each in claims if each] or ([payout] if payout else []),
        ),
    )


@column("compared_table", "What was compared")
def compared(group: MatchGroup) -> Any:
    fields = group.explanation.get("compared", [])
    if not fields:
        return "Nothing: people put it together."
    currency = _currency(group)
    return html.table(
        ("Field", "We say", "They say", ""),
        (
            (
                _FIELDS.get(x["field"], x["field"].replace("_", " ").capitalize()),
                _value(x["field"], x.get("ours"), currency),
                _value(x["field"], x.get("theirs"), currency),
                html.badge("DONE", "agrees") if x.get("agrees") else html.badge("WAITING", "differs"),
            )
            for x in fields
        ),
    )


@column("differences_table", "What differs")
def differences(group: MatchGroup) -> Any:
    found = dict(group.explanation.get("differences") or {})
    rows: list[tuple[Any, Any]] = [
        (f"Exchanged: {x['sent'][0]} to {x['booked'][0]}", html.money(x["booked"][1], x["booked"][0]))
        for x in found.pop("fx", ())
    ]
    for name, minor in found.items():
        shown = html.amounts(minor) if isinstance(minor, dict) else html.money(minor, _currency(group))
        rows.append((_DIFFERENCES.get(name, name), shown))
    return html.table(("", ""), rows) if any(shown != html.EMPTY for _, shown in rows) else "Nothing"


@column("runner_up_text", "Runner-up")
def runner_up(group: MatchGroup) -> Any:
    found = group.explanation.get("runner_up")
    if not found:
        return "There was none."
    operation, remittance = found.get("operation"), found.get("remittance")
    rows = item_rows(operations=[operation] if operation else (), remittances=[remittance] if remittance else ())
    return format_html("{}{}", html.table(HEADS, rows), found.get("lost_because", ""))


@column("rule_text", "By")
def rule(group: MatchGroup) -> Any:
    version = group.explanation.get("version")
    return f"{group.get_rule_display()}{f', rules version {version}' if version else ''}"


def _currency(group: MatchGroup) -> str:
    for x in group.explanation.get("compared", []):
        if x["field"] == "currency":
            return str(x.get("ours") or x.get("theirs") or "")
    return ""


def _value(field: str, value: Any, currency: str) -> Any:
    if value is None or value == "":
        return html.EMPTY
    return html.money(value, currency) if field.endswith("_minor") and currency else str(value)


@admin.register(MatchGroup)
class MatchGroupAdmin(ExactSearch, ConsoleAdmin):
    found_by = ("id",)
    empty_text = "Every match so far is an equal pair, or there is none: a group is made where a match needs a word."
    list_display = ("id", "comparison", "rule", when("created_at", "Made"), related("proposal", "Decided by"))
    list_filter = (("comparison", ChoicesDropdownFilter), ("rule", ChoicesDropdownFilter))
    list_select_related = ("proposal",)
    search_fields = exact = ("id", "bank_matches__bank_line__reference", "bank_matches__remittance__id")
    search_help_text = "Group, bank reference or remittance"
    ordering = ("-created_at",)
    details = (
        (None, (reference("id", "Group"), "comparison", rule, when("created_at", "Made"))),
        (None, (items,)),
        ("Why", (compared, differences, runner_up)),
        ("By", (related("run", "Run"), related("proposal", "Decided by"), related("entry", "Booked"))),
    )


@admin.register(BankMatch)
class BankMatchAdmin(ExactSearch, ConsoleAdmin):
    list_display = (
        "id",
        related("group", "Group"),
        related("bank_line", "Bank line"),
        related("remittance", "Remittance"),
        related("payout", "Payout"),
    )
    list_select_related = ("group", "bank_line", "remittance", "payout")
    search_fields = exact = ("group__id", "bank_line__reference", "remittance__id", "payout__id")
    search_help_text = "Group, bank reference, remittance or payout"
    ordering = ("-id",)
    details = (
        (
            None,
            (
                related("group", "Group"),
                related("bank_line", "Bank line"),
                related("remittance", "Remittance"),
                related("payout", "Payout"),
            ),
        ),
    )
