"""The Celery application: wakes workers and keeps the schedule."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_ready
from django.core.exceptions import ImproperlyConfigured
from django_structlog.celery.steps import DjangoStructLogInitStep

from config.env import choose_settings

choose_settings()

app = Celery("counterfoil")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def keep_our_logging(**_kwargs: Any) -> None:
    """A receiver here tells Celery to leave LOGGING as it is."""


@worker_init.connect
@beat_init.connect
def refuse_unsafe_settings(**_kwargs: Any) -> None:
    from config.checks import refuse_unsafe_settings

    try:
        refuse_unsafe_settings()
    except ImproperlyConfigured as exc:
        raise SystemExit(str(exc)) from exc  # Celery goes on after any other exception of a receiver


@worker_ready.connect
def beat_at_once(**_kwargs: Any) -> None:
    """A new worker counts as alive now, not only when the schedule comes round."""
    app.send_task("common.heartbeat", expires=10, retry=False)
