"""Mounted at `eps/` by the EPS facade, where the requirement documents want it."""

from __future__ import annotations

from django.urls import path

from payments.callbacks.views import callback

urlpatterns = [path("callback", callback, name="provider-callback")]
