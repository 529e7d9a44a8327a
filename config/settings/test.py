"""Tests: the real PostgreSQL and Redis that tests/plugin_services.py starts, as the tables' owner."""

from __future__ import annotations

import base64

from config.settings.base import *  # noqa: F403
from config.settings.base import CACHES, DATABASES, INSTALLED_APPS

SECRET_KEY = "only-for-tests-" + "x" * 50
SEALING_KEYS = f"test1:{base64.b64encode(b'0123456789abcdef0123456789abcdef').decode()}"
JWT_SIGNING_KEYS = f"test1:{base64.b64encode(b'fedcba9876543210fedcba9876543210').decode()}"
PUBLIC_BASE_URL = "http://127.0.0.1:8000"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [*INSTALLED_APPS, "demo"]
AUDIT_ANCHOR_FILE = ""
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Django flushes between transactional tests with TRUNCATE, which the append-only tables refuse otherwise.
DATABASES["default"]["OPTIONS"]["options"] += " -c counterfoil.allow_truncate=on"
CACHES["default"]["OPTIONS"] |= {"socket_timeout": 20, "socket_connect_timeout": 20}  # a busy machine fails no test
WEBHOOK_ALLOWED_TARGETS = ["127.0.0.1:8200-8299"]
