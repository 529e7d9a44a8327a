"""Below /api/v1/."""

from __future__ import annotations

from django.urls import path

from notifications.api import views

urlpatterns = [
    path("webhook-endpoints", views.Endpoints.as_view()),
    path("webhook-endpoints/<str:endpoint_id>", views.Endpoint.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/rotate-secret", views.EndpointSecret.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/test", views.EndpointTest.as_view()),
    path("webhook-deliveries", views.Deliveries.as_view()),
    path("webhook-deliveries/replay", views.DeliveriesReplay.as_view()),
    path("webhook-deliveries/<str:delivery_id>", views.Delivery.as_view()),
    path("webhook-deliveries/<str:delivery_id>/replay", views.DeliveryReplay.as_view()),
]
