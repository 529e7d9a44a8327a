"""What a proposal about a break or a day would do, as the second person sees it: from what is stored, item by item and posting by posting."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join

from common.console import html
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.models import Proposal
from payments.ledger.accounts import AccountRef
from payments.models.ledger import AccountKind
from reconciliation.admin.items import HEADS, item_rows
from reconciliation.services.closing import CLOSE, REOPEN
from reconciliation.services.resolutions import ADJUST, DISPUTE, MATCH, WRITE_OFF

_SHOWN = 20


def _resolution(proposal: Proposal) -> Any:
    given = proposal.parameters
    kinds = ("lines", "operations", "bank_lines", "remittances")
    items = html.table(HEADS, item_rows(**{kind: given.get(kind, []) for kind in kinds}))
    legs = [
        (
            AccountKind(leg["kind"]).label,
            AccountRef(**(_without_minor(leg) | {"kind": AccountKind(leg["kind"])})).code,
            html.money(leg["minor"], leg["currency"]),
        )
        for leg in given.get("legs", [])
    ]
    booked = html.table(("Account", "Code", "Debit (credit negative)"), legs) if legs else "Nothing is booked."
    return format_html(
        '{}<p class="cf-small cf-quiet" style="margin:.75rem 0 .25rem">Booked</p>{}<p class="cf-small cf-quiet" style="margin-top:.75rem">'
        "Closes {}</p>",
        items,
        booked,
        f"{len(given.get('breaks', []))} break{'s' if len(given.get('breaks', [])) != 1 else ''}",
    )


def _without_minor(leg: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in leg.items() if name != "minor"}


def _closing(proposal: Proposal) -> Any:
    return figures_shown(proposal.parameters["figures"])


def figures_shown(figures: dict[str, Any]) -> Any:
    """The figures of a day (services.day_figures) as people sign them."""
    kinds = ", ".join(f"{count} {kind.replace('_', ' ').lower()}" for kind, count in figures["kinds"].items())
    rows = [
        ("Unexplained", html.amounts(figures["unexplained"])),
        ("Open breaks, carried forward", f"{figures['open_breaks']}{f': {kinds}' if kinds else ''}"),
        ("Without a complete statement", _some(figures["missing"]) or "none"),
        ("Lines in quarantine", figures["quarantined"]),
        ("Lines", figures["lines"]),
    ]
    return format_html('<dl class="cf-facts">{}</dl>', format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", rows))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _reopening(proposal: Proposal) -> Any:
    return "Lines, matches and breaks of the day can be added again until it is closed again. The closing stays in the history."


def _day_page(subject_id: str) -> str:
    provider, mode, day = subject_id.split(":")
    return f"{reverse('admin:reconciliation_dayclose_changelist')}{provider}/{mode}/{day}/"


PROPOSED.update(dict.fromkeys((MATCH, ADJUST, WRITE_OFF, DISPUTE), _resolution) | {CLOSE: _closing, REOPEN: _reopening})
SUBJECT_PAGES["break"] = lambda subject_id: reverse("admin:reconciliation_break_change", args=[subject_id])
SUBJECT_PAGES["day"] = _day_page
