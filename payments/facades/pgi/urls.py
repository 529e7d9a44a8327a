"""Below /v1/."""

from __future__ import annotations

from django.urls import path, re_path

from payments.facades.pgi import views

urlpatterns = [
    path("payments", views.Payments.as_view()),
    path("payments/validate", views.PaymentValidation.as_view()),
    path("payments/<str:payment_id>", views.OnePayment.as_view()),
    path("payments/<str:payment_id>/refunds", views.PaymentRefunds.as_view()),
    re_path(r"^.*$", views.unknown_route),
]
