"""Routes of the native API that belong to payments; included at /api/v1/."""

from __future__ import annotations

from django.urls import path

from payments.api.v1 import account_views, changes, views

urlpatterns = [
    path("transactions", views.Transactions.as_view()),
    path("transactions/<str:transaction_id>", views.OneTransaction.as_view()),
    path("transactions/<str:transaction_id>/status", views.TransactionStatus.as_view()),
    path("transactions/<str:transaction_id>/events", views.TransactionEvents.as_view()),
    path("transactions/<str:transaction_id>/capture", changes.TransactionCapture.as_view()),
    path("transactions/<str:transaction_id>/cancel", changes.TransactionCancel.as_view()),
    path("transactions/<str:transaction_id>/refunds", views.TransactionRefunds.as_view()),
    path("refunds/<str:refund_id>", views.OneRefund.as_view()),
    path("accounts", account_views.Accounts.as_view()),
    path("accounts/<str:account_id>", account_views.OneAccount.as_view()),
    path("accounts/<str:account_id>/balance", account_views.Balance.as_view()),
    path("accounts/<str:account_id>/entries", account_views.Entries.as_view()),
    path("payment-types", views.PaymentTypes.as_view()),
    path("banks", views.Banks.as_view()),
]
