"""The audit log, its chain and the facts, to read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Min, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from common.console import html, proposals
from common.console.base import ConsoleAdmin
from common.console.columns import column, mode, pretty, reference, related, when
from common.console.filters import DayFilter
from common.console.panels import CARDS, Card
from common.console.search import ExactSearch
from common.models import AuditLink, AuditRecord, Fact
from common.models.audit import OPERATOR

__all__ = ["proposals"]

RELAY_LATE = timedelta(seconds=60)


@column("hash_hex", "Hash")
def hash_hex(link: AuditLink) -> Any:
    return html.copyable(bytes(link.hash).hex())


@column("previous_hex", "Hash of the link before")
def previous_hex(link: AuditLink) -> Any:
    return html.copyable(bytes(link.previous_hash).hex())


@admin.register(AuditRecord)
class AuditRecordAdmin(ExactSearch, ConsoleAdmin):
    list_display = (when("at", "Time"), "action", "actor", "subject_id", "reason", "request_id")
    list_filter = (("at", DayFilter),)
    search_fields = exact = ("subject_id", "request_id")
    search_help_text = "Subject, request id or a person's name"
    ordering = ("-id",)
    details = (
        ("Who, what, why", (when("at", "Time"), "actor", "action", "reason", reference("request_id", "Request"))),
        ("On what", ("subject_type", reference("subject_id", "Subject"), "version", "merchant_id")),
        (None, (pretty("changes", "Changes"), related("link", "Place in the chain"))),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditRecord]:
        return super().get_queryset(request).select_related("link")  # type: ignore[no-any-return]

    def looked_up(self, forms: set[str]) -> list[Q]:
        """People by their names; who else acts has written millions of records, which are found by what they are about."""
        people = {OPERATOR + form.removeprefix(OPERATOR) for form in forms}
        return [*super().looked_up(forms), Q(actor__in=people, actor__startswith=OPERATOR)]


@admin.register(AuditLink)
class AuditLinkAdmin(ConsoleAdmin):
    list_display = ("position", related("record", "Audit record"), hash_hex)
    list_select_related = ("record",)
    search_fields = ("=position",)
    search_help_text = "Position in the chain"
    ordering = ("-position",)
    details = ((None, ("position", related("record", "Audit record"), hash_hex, previous_hex)),)


@admin.register(Fact)
class FactAdmin(ExactSearch, ConsoleAdmin):
    found_by = ("id",)
    list_display = (
        when("created_at", "Time"),
        "name",
        "subject_id",
        "sequence",
        mode(),
        when("published_at", "Published"),
    )
    list_filter = ("live", ("created_at", DayFilter), ("published_at", admin.EmptyFieldListFilter))
    search_fields = exact = ("id", "subject_id")
    search_help_text = "Event, subject or request id"
    ordering = ("-id",)
    details = (
        (None, (reference("id", "Event"), "name", reference("subject_id", "Subject"), "sequence", mode())),
        (
            "When",
            (when("created_at", "Created"), when("published_at", "Published"), reference("request_id", "Request")),
        ),
        (None, (pretty("payload", "Payload"),)),
    )

    def looked_up(self, forms: set[str]) -> list[Q]:
        """Those of a request are found by what it changed, so that no fact pays for another index."""
        changed = AuditRecord.objects.filter(request_id__in=forms).values("subject_id")
        return [*super().looked_up(forms), Q(request_id__in=forms, subject_id__in=changed)]


def oldest_unpublished() -> Card:
    """How long the oldest fact has been waiting for the relay."""
    oldest = Fact.objects.filter(published_at=None).aggregate(at=Min("created_at"))["at"]
    late = oldest is not None and timezone.now() - oldest > RELAY_LATE
    return Card(
        title="Oldest unpublished fact",
        value=timesince(oldest) if oldest else "None",
        note="Merchants have not heard of it yet." if oldest else "Everything has been published.",
        url=reverse("admin:common_fact_changelist") + "?published_at__isempty=1",
        tone="danger" if late else "success",
    )


CARDS.append((40, "common.view_fact", oldest_unpublished))
