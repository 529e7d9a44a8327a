"""`GET /_books/{provider}`: what a provider believes happened, the independent record that ours is compared with."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from sandbox.books import entries, parse_day
from sandbox.faults import PROVIDERS
from sandbox.records import Entry, Kind

_KINDS = {Kind.CAPTURE: "charge"}  # the contract has four kinds: a capture is a charge of what was held


@require_GET
def books(request: HttpRequest, provider: str) -> HttpResponse:
    """`{"entries": [...]}`, oldest first; `?date=` a provider's day, `?reference=` one reference."""
    if provider not in PROVIDERS:
        return JsonResponse({"error": f"There is no provider {provider}."}, status=404)
    day, reference = request.GET.get("date", ""), request.GET.get("reference", "")
    try:
        found = entries(provider=provider, day=parse_day(day) if day else "", reference=reference)
    except ValueError:
        return JsonResponse({"error": "date has to be YYYY-MM-DD."}, status=400)
    return JsonResponse({"entries": [_told(entry) for entry in found]})


def _told(entry: Entry) -> dict[str, str]:
    return {
        "reference": entry.reference,
        "providerReference": entry.number,
        "kind": _KINDS.get(entry.kind, entry.kind.value),
        "amount": str(entry.amount),
        "currency": entry.amount.currency,
        "status": entry.status,
        "at": entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
