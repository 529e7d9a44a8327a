"""Operators by role."""

from __future__ import annotations

from django.contrib.auth.models import Group, User


def person(name: str, role: str = "finance") -> User:
    """Somebody of a role ("superuser" too)."""
    user = User.objects.create_user(name, is_staff=True, is_superuser=role == "superuser")
    if role != "superuser":
        user.groups.add(Group.objects.get(name=role))
    return user
