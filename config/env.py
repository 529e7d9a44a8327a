"""Every environment variable, read here and nowhere else; `.env.example` documents each.

A `.env` file beside manage.py fills in what the environment leaves unset, also which settings a process takes: it asks choose_settings()
before it asks Django for any. Where DATABASE_URL or REDIS_URL is set by neither, the URLs of
the supervisor running on the data directory are taken, so that a second shell finds the same services.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import environ

from common.data_dir import running_urls

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
_given = set(os.environ)
env.read_env(BASE_DIR / ".env", parse_comments=True)
for _name in set(os.environ) - _given:
    os.environ[_name] = os.environ[_name].strip()  # what stands before a comment on the same line


def choose_settings() -> None:
    """Let Django take the settings that the environment or `.env` names; a developer's machine need name none."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
_running = running_urls(DATA_DIR)

# Services. Only `migrate` acts as the owner of the tables.
DATABASE_URL = env.str("DATABASE_URL", default=_running.get("DATABASE_URL", ""))
REDIS_URL = env.str("REDIS_URL", default=_running.get("REDIS_URL", ""))
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default=_running.get("DATABASE_OWNER_URL", ""))
ACTS_AS_OWNER = sys.argv[1:2] == ["migrate"]
if ACTS_AS_OWNER:
    DATABASE_URL = DATABASE_OWNER_URL or DATABASE_URL

# Secrets
SECRET_KEY = env.str("SECRET_KEY", default="")
SEALING_KEYS = env.str("SEALING_KEYS", default="")
JWT_SIGNING_KEYS = env.str("JWT_SIGNING_KEYS", default="")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Where we are on the network
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
TRUSTED_ADDRESS_HEADER = env.str("TRUSTED_ADDRESS_HEADER", default="X-Forwarded-For")
LIVE_URL = env.str("LIVE_URL", default="").rstrip("/")
SANDBOX_URL = env.str("SANDBOX_URL", default="").rstrip("/")

# Behaviour
DEBUG = env.bool("DEBUG", default=False)
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
AUDIT_ANCHOR_FILE = env.str("AUDIT_ANCHOR_FILE", default="")
PAYOUT_LIMIT = env.int(
    "PAYOUT_LIMIT", default=100_000
)  # in whole units; a larger payout needs a lead who may approve large ones
PAYOUT_COOLING_HOURS = env.int("PAYOUT_COOLING_HOURS", default=24)  # before a changed destination may be paid to
