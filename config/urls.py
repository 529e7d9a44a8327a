"""Every door, by prefix."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView

from common import health
from config.document import DocumentView

urlpatterns = [
    path("", TemplateView.as_view(template_name="landing.html"), name="landing"),
    path("admin/", admin.site.urls),
    path("eps/", include("payments.facades.eps.urls")),
    path("pay/", include("payments.pay.urls")),
    path("api/schema/", DocumentView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/redoc/", SpectacularRedocView.as_view(url_name="schema", template_name="docs/redoc.html"), name="redoc"),
    path("api/v1/", include("merchants.api.v1_urls")),
    path("api/v1/", include("payments.api.v1.urls")),
    path("api/v1/", include("reconciliation.api.urls")),
    path("api/v1/", include("notifications.api.urls")),
    path("v1/", include("payments.facades.pgi.urls")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/", include("merchants.api.urls")),  # last: what no route below /api/ has taken
]
