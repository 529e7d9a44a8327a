"""What runs when. A message that nobody took in time expires, so that a backlog of "look at what is due" never builds up."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab, schedule

EVERY_SECONDS = {
    "notifications.relay_outbox": 1,
    "notifications.deliver_due": 1,
    "payments.sweep": 5,
    "common.seal_audit": 5,
    "common.heartbeat": 10,
    "payments.run_refund_batches": 15,
    "reconciliation.send_payouts": 60,
    "payments.refresh_banks": 600,
    "merchants.reap_idempotency_records": 3600,
    "common.expire_proposals": 3600,
}
DAILY = {  # in Kuala Lumpur (settings.CELERY_TIMEZONE); repeats catch up
    "reconciliation.nightly": crontab(hour="2-6", minute=0),
    "reconciliation.close_clean_days": crontab(hour="3-9", minute=30),
    "reconciliation.settle": crontab(hour="*/2", minute=40),  # days end at different times: each when its own has
    "merchants.announce_expiring_keys": crontab(hour="9-11", minute=0),
    "payments.run_transfer_batch": crontab(hour="9,12,15,18", minute=30, day_of_week="mon-fri"),
}

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    task: {"task": task, "schedule": schedule(seconds), "options": {"expires": max(seconds * 2, 5)}}
    for task, seconds in EVERY_SECONDS.items()
} | {task: {"task": task, "schedule": when, "options": {"expires": 3600}} for task, when in DAILY.items()}
