from notifications.models.attempt import WebhookAttempt
from notifications.models.delivery import DeliveryState, WebhookDelivery
from notifications.models.endpoint import DisabledReason, WebhookEndpoint

__all__ = ["DeliveryState", "DisabledReason", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint"]
