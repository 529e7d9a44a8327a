"""The console's pages of the merchants app."""

from merchants.admin import credentials, merchants, people, users

__all__ = ["credentials", "merchants", "people", "users"]
