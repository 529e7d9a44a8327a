"""A developer's machine and the demo: everything on loopback, secrets generated into the data directory."""

from __future__ import annotations

from celery.schedules import schedule

from common.data_dir import local_secrets
from config.settings.base import *  # noqa: F403
from config.settings.base import (
    ALLOWED_HOSTS,
    AUDIT_ANCHOR_FILE,
    CELERY_BEAT_SCHEDULE,
    CONTENT_SECURITY_POLICY,
    DATA_DIR,
    INSTALLED_APPS,
    JWT_SIGNING_KEYS,
    LIVE_URL,
    PUBLIC_BASE_URL,
    SANDBOX_URL,
    SEALING_KEYS,
    SECRET_KEY,
)

_known = local_secrets(DATA_DIR)
SECRET_KEY = SECRET_KEY or _known["SECRET_KEY"]
SEALING_KEYS = SEALING_KEYS or _known["SEALING_KEYS"]
JWT_SIGNING_KEYS = JWT_SIGNING_KEYS or _known["JWT_SIGNING_KEYS"]
PUBLIC_BASE_URL = PUBLIC_BASE_URL or "http://127.0.0.1:8000"
LIVE_URL = LIVE_URL or "http://127.0.0.1:8001"
SANDBOX_URL = SANDBOX_URL or "http://127.0.0.1:8100"
AUDIT_ANCHOR_FILE = AUDIT_ANCHOR_FILE or str(DATA_DIR / "audit-anchor.txt")
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *ALLOWED_HOSTS]
INSTALLED_APPS = [*INSTALLED_APPS, "demo"]
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] += ["http://127.0.0.1:*", "http://localhost:*"]

PAYER_LOOK_UP_SECONDS = (5, 10, 20, 40, 60)
WEBHOOK_ALLOWED_TARGETS = ["127.0.0.1:8200-8299"]
CELERY_BEAT_SCHEDULE["payments.run_transfer_batch"] |= {
    "schedule": schedule(60),
    "options": {"expires": 60},
}  # to be watched
