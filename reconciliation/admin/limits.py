"""How much of each currency may be proposed to vanish without the permission for any amount."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import reverse

from common.console import html
from common.console.agreed import AgreedAdmin, before_after
from common.console.columns import money, related
from common.console.panels import PROPOSED, SUBJECT_PAGES
from common.console.waiting import waits
from reconciliation.models import WriteOffLimit
from reconciliation.services.settings import WRITE_OFF_LIMIT


@admin.register(WriteOffLimit)
class WriteOffLimitAdmin(AgreedAdmin):
    empty_text = "Without a limit nothing of a currency is written off, except by who may write off any amount."
    setting = WRITE_OFF_LIMIT
    asks = ("limit_minor",)
    asks_new = ("currency", "limit_minor")
    actions_list = ("propose_new",)
    actions_detail = ("propose_change",)
    list_display = ("currency", money("limit_minor", "Limit"))
    search_fields = ("=currency",)
    search_help_text = "Currency"
    ordering = ("currency",)
    details = (
        (None, ("currency", money("limit_minor", "Limit"))),
        ("Agreed by", (related("proposal", "Two people"), waits(WRITE_OFF_LIMIT.subject, about=WRITE_OFF_LIMIT.about))),
    )


def _money(minor: int, row: Any) -> Any:
    return html.money(minor, row["currency"])


PROPOSED[WRITE_OFF_LIMIT.kind] = lambda proposal: before_after(proposal, WriteOffLimit, show={"limit_minor": _money})
SUBJECT_PAGES[WRITE_OFF_LIMIT.subject] = lambda code: reverse("admin:reconciliation_writeofflimit_change", args=[code])
