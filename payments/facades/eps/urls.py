"""Mounted at `eps/`. The providers' callback has its own module and shares only the prefix."""

from __future__ import annotations

from django.urls import include, path, re_path

from payments.facades.eps.views import PaymentRequest, Reconciliation, StatusUpdate, unknown_route

urlpatterns = [
    path("request", PaymentRequest.as_view(), name="eps-request"),
    path("update", StatusUpdate.as_view(), name="eps-update"),
    path("reconcile", Reconciliation.as_view(), name="eps-reconcile"),
    path("", include("payments.callbacks.urls")),
    re_path(r"^.*$", unknown_route),
]
