"""Operators and their roles. Nobody is deleted (the audit log names them); who leaves is made inactive."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from common.audit import record_action
from common.console.site import operator

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class OperatorAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    actions = None
    compressed_fields = True
    list_fullwidth = True
    list_display = ("username", "get_full_name", "email", "roles", "is_superuser", "is_active", "last_login")
    list_filter = ("groups", "is_active", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password", "first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "–"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        _record(request, "operator.added", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """A change by the form, or of the password."""
        _record(request, "operator.changed", obj, message)
        return super().log_change(request, obj, message)


def _record(request: HttpRequest, action: str, user: User, message: Any) -> None:
    """Which fields changed, never their values: one of them is a password."""
    record_action(
        actor=operator(request),
        action=action,
        subject_type="operator",
        subject_id=str(user.pk),
        now=timezone.now(),
        changes={"username": user.username, "fields": message},
    )


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):
    """Roles are data in merchants/roles.py, applied by `sync_roles`: here they are only shown."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
