"""People of a merchant who sign in to the API with a password, and what their signing in left behind.

A session is the family of refresh tokens that descend from one sign-in: it is revoked as a whole. Passwords are hashed by Django's
hashers (Argon2); refresh tokens are 256 random bits, so SHA-256 keeps them as well.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from common.fields import id_field
from merchants.models.merchant import Merchant


class MerchantUser(models.Model):
    """A user name is unique over all merchants: it alone says whose user signs in."""

    id = id_field()
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="users")
    username = models.CharField(max_length=80, unique=True)
    password = models.CharField(max_length=200)  # Django's encoded hash
    live = models.BooleanField()
    scopes = ArrayField(models.CharField(max_length=40))
    is_active = models.BooleanField(default=True)
    failures = models.PositiveSmallIntegerField(default=0)  # wrong passwords since the last right one
    locked_until = models.DateTimeField(null=True, blank=True)
    last_login_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "merchant_user"
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username


class MerchantSession(models.Model):
    """What one sign-in opened."""

    id = id_field()
    user = models.ForeignKey(MerchantUser, on_delete=models.PROTECT, related_name="sessions")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        db_table = "merchant_session"
        indexes = [models.Index(fields=["expires_at"], name="merchant_session_by_end")]

    def __str__(self) -> str:
        return self.pk


class RefreshToken(models.Model):
    """One link of a session's chain. `used_at` says that it has a successor: whoever shows it again has stolen it, or was robbed."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(MerchantSession, on_delete=models.CASCADE, related_name="tokens")
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "refresh_token"

    def __str__(self) -> str:
        return str(self.pk)
