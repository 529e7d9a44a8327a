"""Routes of the native API that belong to merchants; included at /api/v1/."""

from __future__ import annotations

from django.urls import path

from merchants.api import api_keys, sessions

urlpatterns = [
    path("auth/login", sessions.Login.as_view()),
    path("auth/refresh", sessions.Refresh.as_view()),
    path("auth/logout", sessions.Logout.as_view()),
    path("api-keys", api_keys.ApiKeys.as_view()),
    path("api-keys/<str:key_id>", api_keys.OneApiKey.as_view()),
    path("api-keys/<str:key_id>/rotate", api_keys.ApiKeyRotation.as_view()),
    path("api-keys/<str:key_id>/revoke", api_keys.ApiKeyRevocation.as_view()),
]
