"""Merchants' users and their sessions: who signs in, since when, and why a session ended. Passwords and tokens are shown nowhere."""

from __future__ import annotations

from django.contrib import admin

from common.console.base import ConsoleAdmin
from common.console.columns import mode, reference, related, when
from merchants.admin.credentials import MERCHANT
from merchants.models import MerchantSession, MerchantUser, RefreshToken


@admin.register(MerchantUser)
class MerchantUserAdmin(ConsoleAdmin):
    list_display = (
        "username",
        related("merchant", "Merchant"),
        mode(),
        "is_active",
        when("last_login_at", "Last signed in"),
        when("locked_until", "Locked until"),
    )
    list_filter = (MERCHANT, "live", "is_active")
    list_select_related = ("merchant",)
    search_fields = ("=username", "=merchant__code", "=id")
    search_help_text = "User name, merchant code or id"
    details = (
        (None, (reference("username", "User name"), related("merchant", "Merchant"), mode(), "is_active")),
        ("May", ("scopes",)),
        (
            "When",
            (
                when("created_at", "Created"),
                when("last_login_at", "Last signed in"),
                "failures",
                when("locked_until", "Locked until"),
            ),
        ),
    )


@admin.register(MerchantSession)
class MerchantSessionAdmin(ConsoleAdmin):
    list_display = (
        "id",
        related("user", "User"),
        when("created_at", "Opened"),
        when("expires_at", "Expires"),
        when("revoked_at", "Ended"),
        "revoked_reason",
    )
    list_select_related = ("user",)
    search_fields = ("=user__username", "=user__merchant__code", "=id")
    search_help_text = "User name, merchant code or id"
    ordering = ("-id",)
    details = (
        (None, (reference("id", "Id"), related("user", "User"))),
        (
            "When",
            (
                when("created_at", "Opened"),
                when("expires_at", "Expires"),
                when("revoked_at", "Ended"),
                "revoked_reason",
            ),
        ),
    )


@admin.register(RefreshToken)
class RefreshTokenAdmin(ConsoleAdmin):
    list_display = ("id", related("session", "Session"), when("created_at", "Issued"), when("used_at", "Used"))
    list_select_related = ("session",)
    search_fields = ("=session__user__username", "=session__id")
    search_help_text = "User name or session id"
    ordering = ("-id",)
    details = ((None, (related("session", "Session"), when("created_at", "Issued"), when("used_at", "Used"))),)
