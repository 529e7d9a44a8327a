"""The console's pages of the notifications app."""

from notifications.admin import deliveries, endpoints, parts

__all__ = ["deliveries", "endpoints", "parts"]
