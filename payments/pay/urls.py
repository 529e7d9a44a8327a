"""Mounted at `pay/`."""

from __future__ import annotations

from django.urls import path

from payments.pay.views import pay, provider_return, receipt, status

urlpatterns = [
    path("return/<slug:provider>", provider_return, name="pay-return"),
    path("<str:token>", pay, name="pay"),
    path("<str:token>/status", status, name="pay-status"),
    path("<str:token>/receipt", receipt, name="pay-receipt"),
]
