"""Merchants' API keys: make one, rotate it, limit from where it is used, revoke it. A secret is in one answer only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from common.console import html
from common.console.actions import ReasonForm, form_page, go_to, show_once
from common.console.base import ConsoleAdmin
from common.console.columns import mode, reference, related, when
from common.console.site import operator
from common.errors import CounterfoilError
from merchants.admin.credentials import MERCHANT
from merchants.admin.forms import NetworksForm, NewKeyForm, RotateKeyForm
from merchants.models import ApiKey
from merchants.services.api_keys import api_key_allow, api_key_create, api_key_revoke, api_key_rotate

_LEAD = "Give it to the merchant over a safe way. It is shown this once: whoever loses it gets another."


@admin.register(ApiKey)
class ApiKeyAdmin(ConsoleAdmin):
    found_by = ("id", "prefix")
    actions_list = ("new_key",)
    actions_detail = ("rotate", "networks", "revoke")
    list_display = (
        "prefix",
        related("merchant", "Merchant"),
        "name",
        mode(),
        when("last_used_at", "Last used"),
        when("expires_at", "Expires", sortable=True),
        when("revoked_at", "Revoked"),
    )
    list_filter = (MERCHANT, "live")
    list_select_related = ("merchant",)
    search_fields = ("=prefix", "=merchant__code", "name", "=id")
    search_help_text = "Prefix, name, merchant code or id"
    details = (
        (None, (reference("prefix", "Prefix"), "name", related("merchant", "Merchant"), mode())),
        ("May", ("scopes", "allowed_networks")),
        (
            "When",
            (
                when("created_at", "Created"),
                when("last_used_at", "Last used"),
                when("expires_at", "Expires"),
                when("revoked_at", "Revoked"),
            ),
        ),
    )

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("merchants.manage_apikey"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Nothing can be done to a key that is revoked."""
        key = ApiKey.objects.filter(pk=unquote(str(object_id))).first()
        return [] if key is None or key.revoked_at is not None else super().get_actions_detail(request, object_id)

    @action(description="New key", permissions=["manage"], url_path="new-key", icon="add")
    def new_key(self, request: HttpRequest) -> HttpResponse:
        form, refused = NewKeyForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                key, secret = api_key_create(**form.wanted(), actor=operator(request), now=timezone.now())
            except CounterfoilError as exc:
                refused = _sentences(exc)
            else:
                return self._shown(request, key, secret)
        return form_page(
            request,
            self,
            form,
            title="New API key",
            lead="The secret is shown once, on the next page.",
            submit="Make the key",
            back=reverse("admin:merchants_apikey_changelist"),
            refused=refused,
        )

    @action(description="Rotate", permissions=["manage"], url_path="rotate", icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        old = get_object_or_404(ApiKey, pk=unquote(object_id))
        form, refused = RotateKeyForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                key, secret = api_key_rotate(
                    key_id=old.pk,
                    overlap=form.overlap,
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                return self._shown(request, key, secret)
        return form_page(
            request,
            self,
            form,
            title=f"Rotate {old}",
            lead="A successor with the same name and rights. The old key works on for the overlap, so that the merchant can change over.",
            submit="Rotate",
            back=html.page_url(old),
            refused=refused,
        )

    def _shown(self, request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
        return show_once(
            request,
            self,
            title=f"The secret of {key.name}",
            lead=_LEAD,
            secrets=[(f"{'Live' if key.live else 'Test'} key of {key.merchant.code}", secret)],
            back=html.page_url(key),
        )

    @action(
        description="Allowed addresses",
        permissions=["manage"],
        url_path="networks",
        icon="lan",
        dialog={
            "title": "From where the key may be used",
            "form_class": NetworksForm,
            "form_submit_text": "Keep",
        },
    )
    def networks(self, request: HttpRequest, form: NetworksForm, object_id: str) -> HttpResponse:
        def act(key_id: str, reason: str) -> None:
            api_key_allow(
                key_id=key_id, allowed_networks=form.asked, reason=reason, actor=operator(request), now=timezone.now()
            )

        return self._act(request, form, object_id, act, "The addresses are kept; they count within seconds.")

    @action(
        description="Revoke",
        permissions=["manage"],
        url_path="revoke",
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke the key",
            "description": "It stops working everywhere within seconds, for good. What the merchant does with it fails from then on.",
            "form_class": ReasonForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        def act(key_id: str, reason: str) -> None:
            api_key_revoke(key_id=key_id, reason=reason, actor=operator(request), now=timezone.now())

        return self._act(request, form, object_id, act, "The key is revoked.")

    @staticmethod
    def _act(
        request: HttpRequest, form: ReasonForm, object_id: str, act: Callable[[str, str], None], done: str
    ) -> HttpResponse:
        key = get_object_or_404(ApiKey, pk=unquote(object_id))
        try:
            act(key.pk, form.cleaned_data["reason"])
        except CounterfoilError as exc:
            messages.error(request, f"Nothing was done: {_sentences(exc)}")
        else:
            messages.success(request, done)
        return go_to(request, html.page_url(key))


def _sentences(refusal: CounterfoilError) -> str:
    fields = refusal.details.get("fields", {})
    return " ".join(f"{name}: {sentence}" for name, said in fields.items() for sentence in said) or refusal.message
