"""Routes of the native API that belong to payments; included at /api/v1/."""

from __future__ import annotations

from django.urls import path

from payments.api.v1 import views

urlpatterns = [
    path("transactions", views.Transactions.as_view()),
    path("transactions/<str:transaction_id>", views.OneTransaction.as_view()),
    path("transactions/<str:transaction_id>/status", views.TransactionStatus.as_view()),
    path("transactions/<str:transaction_id>/events", views.TransactionEvents.as_view()),
    path("transactions/<str:transaction_id>/refunds", views.TransactionRefunds.as_view()),
    path("refunds/<str:refund_id>", views.OneRefund.as_view()),
    path("payment-types", views.PaymentTypes.as_view()),
    path("banks", views.Banks.as_view()),
]
