"""What no other route below /api/ has taken. Include it last."""

from __future__ import annotations

from django.urls import re_path

from merchants.api.errors import unknown_route

urlpatterns = [re_path(r"^.*$", unknown_route, name="unknown-route")]
