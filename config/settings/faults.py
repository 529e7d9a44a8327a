"""The processes of the fault tests: everything that waits for a clock waits for seconds, so that recovery can be watched."""

from __future__ import annotations

from config import env
from config.settings.test import *  # noqa: F403
from config.settings.test import CELERY_BEAT_SCHEDULE

PUBLIC_BASE_URL = env.PUBLIC_URL
PROVIDER_TIMEOUT_SECONDS = (1.0, 2.0)
PAYER_LOOK_UP_SECONDS = (1, 2, 3, 4, 4)
UNKNOWN_LOOK_UP_SECONDS = (1, 1, 2, 2, 3, 3)
OPERATION_LEASE_SECONDS = 4
SWEEP_LEASE_SECONDS = 5
DELIVERY_LEASE_SECONDS = 4
NOT_FOUND_SECONDS = 4
EVENT_RETRY_SECONDS = 2
LIVE_HEARTBEAT_SECONDS = 1.0
LIVE_WRITE_SECONDS = 2.0

_OFTEN_SECONDS = 0.4
for _task in (
    "payments.sweep",
    "payments.run_transfer_batch",
    "notifications.relay_outbox",
    "notifications.deliver_due",
):
    CELERY_BEAT_SCHEDULE[_task] |= {"schedule": _OFTEN_SECONDS}
