"""Merchants' users and their sessions: who signs in, since when, and why a session ended. A password is in the answer that made it only."""

from __future__ import annotations

import secrets

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from common.console import html
from common.console.actions import form_page, go_to, show_once
from common.console.base import ConsoleAdmin
from common.console.columns import mode, reference, related, when
from common.console.site import operator
from common.errors import InvalidRequest
from merchants.admin.credentials import MERCHANT
from merchants.admin.forms import NewUserForm, ResetForm, SwitchForm
from merchants.models import MerchantSession, MerchantUser, RefreshToken
from merchants.services.users import merchant_user_create, merchant_user_reset, merchant_user_switch


@admin.register(MerchantUser)
class MerchantUserAdmin(ConsoleAdmin):
    found_by = ("id", "username")
    actions_list = ("new_user",)
    actions_detail = ("reset", "switch")
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

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("merchants.manage_merchantuser"))

    @action(description="New user", permissions=["manage"], url_path="new-user", icon="person_add")
    def new_user(self, request: HttpRequest) -> HttpResponse:
        form, refused = NewUserForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            password, name = _new_password(), form.cleaned_data["username"]
            try:
                user = merchant_user_create(
                    username=name,
                    password=password,
                    **form.wanted(),
                    actor=operator(request),
                    now=timezone.now(),
                )
            except InvalidRequest as exc:
                refused = " ".join(sentence for said in exc.details["fields"].values() for sentence in said)
            else:
                return self._shown(request, user, password)
        return form_page(
            request,
            self,
            form,
            title="New user of a merchant",
            lead="For people who sign in to the API. The password is made here and shown once, on the next page.",
            submit="Make the user",
            back=reverse("admin:merchants_merchantuser_changelist"),
            refused=refused,
        )

    @action(description="New password", permissions=["manage"], url_path="reset", icon="lock_reset")
    def reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(MerchantUser, pk=unquote(object_id))
        form = ResetForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            password, reason = _new_password(), form.cleaned_data["reason"]
            user = merchant_user_reset(
                user_id=user.pk, password=password, reason=reason, actor=operator(request), now=timezone.now()
            )
            return self._shown(request, user, password)
        return form_page(
            request,
            self,
            form,
            title=f"New password for {user}",
            lead="The old password and all sessions end at once, a lock too. The new one is shown on the next page.",
            submit="Make a new password",
            back=html.page_url(user),
        )

    def _shown(self, request: HttpRequest, user: MerchantUser, password: str) -> HttpResponse:
        return show_once(
            request,
            self,
            title=f"The password of {user}",
            lead="Give it to the person over a safe way. It is shown this once: whoever loses it gets another.",
            secrets=[(f"Password of {user.username} ({user.merchant.code})", password)],
            back=html.page_url(user),
        )

    @action(
        description="Activate or deactivate",
        permissions=["manage"],
        url_path="switch",
        icon="toggle_on",
        dialog={
            "title": "Let the user sign in, or no longer",
            "description": "Who is not active cannot sign in, and all sessions end.",
            "form_class": SwitchForm,
            "form_submit_text": "Keep",
        },
    )
    def switch(self, request: HttpRequest, form: SwitchForm, object_id: str) -> HttpResponse:
        user = merchant_user_switch(
            user_id=get_object_or_404(MerchantUser, pk=unquote(object_id)).pk,
            active=form.active,
            reason=form.cleaned_data["reason"],
            actor=operator(request),
            now=timezone.now(),
        )
        messages.success(request, f"{user} {'may sign in' if user.is_active else 'cannot sign in any more'}.")
        return go_to(request, html.page_url(user))


def _new_password() -> str:
    return secrets.token_urlsafe(16)


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
