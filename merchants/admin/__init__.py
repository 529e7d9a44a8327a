"""The console's pages of the merchants app."""

from merchants.admin import api_keys, credentials, merchants, people, users

__all__ = ["api_keys", "credentials", "merchants", "people", "users"]
