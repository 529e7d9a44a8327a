"""Scheduled work of the merchants app."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from merchants.services.idempotency import reap_records
from merchants.services.key_expiry import announce_expiring_keys
from merchants.services.sessions import reap_sessions
from merchants.services.sign_ins import reap_sign_ins


@shared_task(name="merchants.reap_idempotency_records")
def reap_idempotency_records(**_later: Any) -> None:
    reap_records(now=timezone.now())
    reap_sessions(now=timezone.now())
    reap_sign_ins(now=timezone.now())


@shared_task(name="merchants.announce_expiring_keys")
def announce_expiring(**_later: Any) -> None:
    announce_expiring_keys(now=timezone.now())
