"""Mounted at `pay/`."""

from __future__ import annotations

from django.urls import path

from payments.pay.views import pay, provider_return

urlpatterns = [
    path("return/<slug:provider>", provider_return, name="pay-return"),
    path("<str:token>", pay, name="pay"),
]
