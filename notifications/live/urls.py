"""Every route of the live process."""

from __future__ import annotations

from django.urls import include, path

from common import health
from notifications.live.views import LiveEvents

urlpatterns = [
    path("api/v1/transactions/<str:transaction_id>/events", LiveEvents.as_view()),
    path("healthz", health.healthz),
    path("api/", include("merchants.api.urls")),
]
