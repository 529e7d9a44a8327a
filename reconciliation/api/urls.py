"""Routes of the native API that belong to settlement; included at /api/v1/."""

from __future__ import annotations

from django.urls import path

from reconciliation.api import views

urlpatterns = [
    path("transactions/<str:transaction_id>/money", views.TransactionMoney.as_view()),
    path("settlements", views.Settlements.as_view()),
    path("settlements/<str:settlement_id>", views.OneSettlement.as_view()),
    path("settlements/<str:settlement_id>/lines", views.SettlementLines.as_view()),
    path("settlements/<str:settlement_id>/statement", views.SettlementStatement.as_view()),
]
