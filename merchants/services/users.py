"""Users of merchants: made by operators, checked by password, locked for half an hour after ten wrong ones.

An unknown name costs as much time as a wrong password and gets the same answer. A right password counts only if the lock is not on
at the moment it is recorded, so guesses that run at once gain nothing over guesses one after the other.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache

import structlog
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import Case, F, Value, When

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest, NotFound
from common.ids import new_id
from merchants.credentials import forget_sessions
from merchants.models import MerchantUser
from merchants.scopes import Scope

log = structlog.get_logger(__name__)

MOST_FAILURES = 10
LOCKED = timedelta(minutes=30)
_SHORTEST = 12


def merchant_user_create(
    *,
    merchant_id: str,
    username: str,
    password: str,
    live: bool,
    scopes: Collection[str],
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> MerchantUser:
    """A new user. Raises InvalidRequest (too short a password, a scope that does not exist, a name that is taken)."""
    errors: dict[str, list[str]] = {}
    if len(password) < _SHORTEST:
        errors["password"] = [f"At least {_SHORTEST} characters."]
    if not scopes or set(scopes) - {scope.value for scope in Scope}:
        errors["scopes"] = [f"Choose from {', '.join(Scope)}."]
    if not 0 < len(username) <= 80 or MerchantUser.objects.filter(username=username).exists():
        errors["username"] = ["Taken, empty or longer than 80 characters."]
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(errors)}.", fields=errors)
    user = MerchantUser(
        id=new_id("usr"),
        merchant_id=merchant_id,
        username=username,
        password=make_password(password),
        live=live,
        scopes=sorted(scopes),
        created_at=now,
    )
    with transaction.atomic():
        user.save(force_insert=True)
        _record(user, "merchant_user.created", actor, now, reason)
    return user


def merchant_user_reset(*, user_id: str, password: str, actor: Actor, now: datetime, reason: str = "") -> MerchantUser:
    """A new password: the old one, all sessions and a lock end with it. Raises NotFound, InvalidRequest (too short)."""
    if len(password) < _SHORTEST:
        raise InvalidRequest("Not right: password.", fields={"password": [f"At least {_SHORTEST} characters."]})
    with transaction.atomic():
        user = _held(user_id)
        user.password, user.failures, user.locked_until = make_password(password), 0, None
        user.save(update_fields=["password", "failures", "locked_until"])
        _end_sessions(user, "password_reset", now)
        _record(user, "merchant_user.password_reset", actor, now, reason)
    return user


def merchant_user_switch(*, user_id: str, active: bool, actor: Actor, now: datetime, reason: str = "") -> MerchantUser:
    """Let a user sign in, or no longer: then its sessions end too. Repeating it changes nothing. Raises NotFound."""
    with transaction.atomic():
        user = _held(user_id)
        if user.is_active != active:
            user.is_active = active
            user.save(update_fields=["is_active"])
            if not active:
                _end_sessions(user, "deactivated", now)
            _record(user, f"merchant_user.{'activated' if active else 'deactivated'}", actor, now, reason)
    return user


def _held(user_id: str) -> MerchantUser:
    user = MerchantUser.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _end_sessions(user: MerchantUser, why: str, now: datetime) -> None:
    """Their access tokens stop working within seconds."""
    user.sessions.filter(revoked_at=None).update(revoked_at=now, revoked_reason=why)
    transaction.on_commit(forget_sessions)


def user_by_password(*, username: str, password: str, actor: Actor, now: datetime) -> MerchantUser | None:
    """The user, if name and password are right and it may sign in now; else None, after the same work."""
    user = MerchantUser.objects.select_related("merchant").filter(username=username).first()
    right = check_password(password, _nobodys_password() if user is None else user.password)
    if user is None:
        return None
    if not right:
        _count_failure(user, actor, now)
        return None
    if not user.is_active or not user.merchant.is_active:
        return None
    admitted = MerchantUser.objects.filter(pk=user.pk).exclude(locked_until__gt=now)
    return user if admitted.update(failures=0, locked_until=None, last_login_at=now) else None


def _count_failure(user: MerchantUser, actor: Actor, now: datetime) -> None:
    last = When(failures__gte=MOST_FAILURES - 1, then=Value(0))
    until = now + LOCKED
    counted = (
        MerchantUser.objects.filter(pk=user.pk)
        .exclude(locked_until__gt=now)
        .update(
            failures=Case(last, default=F("failures") + 1),
            locked_until=Case(When(failures__gte=MOST_FAILURES - 1, then=Value(until)), default=F("locked_until")),
        )
    )
    if counted and MerchantUser.objects.filter(pk=user.pk, failures=0, locked_until=until).exists():
        log.warning("merchant_user.locked", user=user.pk)
        _record(user, "merchant_user.locked", actor, now)


@cache
def _nobodys_password() -> str:
    """A hash that costs what the others cost and that no password opens."""
    return make_password(new_id("none"))


def _record(user: MerchantUser, action: str, actor: Actor, now: datetime, reason: str = "") -> None:
    record_action(
        actor=actor,
        action=action,
        subject_type="merchant_user",
        subject_id=user.pk,
        merchant_id=user.merchant_id,
        reason=reason,
        now=now,
    )
