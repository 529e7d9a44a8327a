"""What waits for a second person about a row, on the row's own page: whoever comes back sees that it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.html import format_html_join

from common.console import html
from common.console.columns import Column, column
from common.models import Proposal, ProposalState


def open_proposals(subject_type: str, subject_id: str) -> list[Proposal]:
    """Those about one subject that nobody has decided, the first first."""
    found = Proposal.objects.filter(state=ProposalState.OPEN, subject_type=subject_type, subject_id=subject_id)
    return list(found.select_related("proposed_by").order_by("proposed_at"))


def waits(subject_type: str, *, also: str = "", about: Callable[[Any], str] = lambda row: str(row.pk)) -> Column:
    """A field with the open proposals about the row, by their subject's id `about`; `also` names a field whose proposal may be about several rows."""

    @column("waits_link", "Waits for a second person")
    def read(row: Any) -> Any:
        found = open_proposals(subject_type, about(row))
        shared = getattr(row, also) if also else None
        if shared is not None and shared.state == ProposalState.OPEN and shared not in found:
            found.insert(0, shared)
        rows = ((html.link(html.page_url(each), each.summary), each.proposed_by) for each in found)
        return format_html_join("", "<div>{} ({})</div>", rows) or "Nothing"

    return read
