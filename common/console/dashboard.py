"""The console's first page: the cards and sections that the apps contribute."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from common.console.panels import DASHBOARD, cards, render_parts


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    return context | {
        "title": "Today",
        "cards": cards(request),
        "sections": render_parts(DASHBOARD, request, mode=request.GET.get("mode", "")),
    }
