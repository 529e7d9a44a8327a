"""What the payments app shows on the dashboard: today's volume and success per method, its hours, and what waits for somebody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncHour
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from common.console.panels import CARDS, DASHBOARD, Card, Part
from payments.models import Operation, ReviewItem, Transaction
from payments.states import OperationState, TransactionStatus

S = TransactionStatus
PAID = (S.AUTHORIZED, S.COMPLETED, S.PARTIALLY_REFUNDED, S.REFUNDED)
LOST = (S.FAILED, S.CANCELLED, S.EXPIRED)


@dataclass(frozen=True, slots=True)
class MethodToday:
    """One method in one currency. `success_percent` is of those that have ended, None before the first."""

    method: str
    currency: str
    captured_minor: int
    paid: int
    lost: int
    waiting: int

    @property
    def success_percent(self) -> int | None:
        ended = self.paid + self.lost
        return (self.paid * 200 + ended) // (ended * 2) if ended else None


@dataclass(frozen=True, slots=True)
class Hour:
    """A column of the chart; heights in percent of the busiest hour."""

    label: str
    paid: int
    lost: int
    paid_height: int
    lost_height: int


def today(*, mode: str) -> Mapping[str, Any]:
    """Today in the operator's zone, live or test: as asked, else live if there was any live payment today."""
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = list(
        Transaction.objects.filter(created_at__gte=start)
        .annotate(hour=TruncHour("created_at"))
        .values("live", "method", "currency", "hour")
        .annotate(
            captured_minor=Sum("amount_captured_minor"),
            paid=Count("pk", filter=Q(status__in=PAID)),
            lost=Count("pk", filter=Q(status__in=LOST)),
            total=Count("pk"),
        )
    )
    live = mode == "live" or (mode != "test" and any(row["live"] for row in rows))
    shown = [row for row in rows if row["live"] is live]
    return {
        "live": live,
        "methods": _methods(shown),
        "hours": _hours(shown, start),
        "total": sum(r["total"] for r in shown),
    }


def _methods(rows: Sequence[Mapping[str, Any]]) -> list[MethodToday]:
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        for name in ("captured_minor", "paid", "lost", "total"):
            sums[row["method"], row["currency"]][name] += row[name]
    return [
        MethodToday(
            method, currency, of["captured_minor"], of["paid"], of["lost"], of["total"] - of["paid"] - of["lost"]
        )
        for (method, currency), of in sorted(sums.items())
    ]


def _hours(rows: Sequence[Mapping[str, Any]], start: datetime) -> list[Hour]:
    counts: dict[int, list[int]] = {hour: [0, 0] for hour in range(24)}
    for row in rows:
        counts[row["hour"].hour][0] += row["paid"]
        counts[row["hour"].hour][1] += row["lost"]
    most = max(paid + lost for paid, lost in counts.values()) or 1
    return [
        Hour(f"{hour:02}:00", paid, lost, paid * 100 // most, lost * 100 // most)
        for hour, (paid, lost) in counts.items()
    ]


def open_questions() -> Card:
    found = ReviewItem.objects.filter(resolved_at=None).aggregate(count=Count("pk"), oldest=Min("opened_at"))
    return Card(
        title="Open questions",
        value=str(found["count"]),
        note=f"The oldest has waited {timesince(found['oldest'], depth=1)}."
        if found["count"]
        else "Nothing to decide.",
        url=reverse("admin:payments_reviewitem_changelist"),
        tone="danger" if found["count"] else "success",
    )


def unknown_outcomes() -> Card:
    due = Operation.objects.filter(due_at__isnull=False)
    found = due.aggregate(unknown=Count("pk", filter=Q(state=OperationState.UNKNOWN)), waiting=Count("pk"))
    return Card(
        title="Unknown outcomes",
        value=str(found["unknown"]),
        note=f"{found['waiting'] - found['unknown']} more operations are under way.",
        url=reverse("admin:payments_operation_changelist") + f"?state__exact={OperationState.UNKNOWN}",
        tone="warning" if found["unknown"] else "success",
    )


CARDS.append((10, "payments.view_reviewitem", open_questions))
CARDS.append((20, "payments.view_operation", unknown_outcomes))
DASHBOARD.append(
    Part(permission="payments.view_transaction", order=10, template="admin/payments/overview.html", load=today)
)
