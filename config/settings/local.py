"""A developer's machine and the demo: everything on loopback, secrets generated into the data directory."""

from __future__ import annotations

from common.data_dir import local_secrets
from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_DIR, INSTALLED_APPS, METRICS_TOKEN, PUBLIC_BASE_URL, SEALING_KEYS, SECRET_KEY

_known = local_secrets(DATA_DIR)
SECRET_KEY = SECRET_KEY or _known["SECRET_KEY"]
SEALING_KEYS = SEALING_KEYS or _known["SEALING_KEYS"]
METRICS_TOKEN = METRICS_TOKEN or ""  # open on loopback
PUBLIC_BASE_URL = PUBLIC_BASE_URL or "http://127.0.0.1:8000"
AUDIT_ANCHOR_FILE = str(DATA_DIR / "audit-anchor.txt")
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "testserver"]
INSTALLED_APPS = [*INSTALLED_APPS, "demo"]

PAYER_LOOK_UP_SECONDS = (5, 10, 20, 40, 60)
WEBHOOK_ALLOWED_TARGETS = ["127.0.0.1:8200-8299"]
