"""Django as a small HTTP framework: no ORM, no middleware, no sessions. Everything else is an environment variable."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

DATA_DIR = Path(os.environ.get("SANDBOX_DATA_DIR", "var/sandbox"))
# How long a test amount of 4.00 leaves our server waiting, and how long a payer may take on the bank's page.
SILENCE_SECONDS = float(os.environ.get("SANDBOX_SILENCE_SECONDS", "35"))
SESSION_SECONDS = float(os.environ.get("SANDBOX_SESSION_SECONDS", "900"))
CALLBACK_RETRY_SECONDS = float(os.environ.get("SANDBOX_CALLBACK_RETRY_SECONDS", "3"))
CALLBACK_TRIES = int(os.environ.get("SANDBOX_CALLBACK_TRIES", "20"))

DEBUG = False
SECRET_KEY = secrets.token_hex(32)  # Django wants one; nothing here is signed with it
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "sandbox.urls"
INSTALLED_APPS: list[str] = []
MIDDLEWARE: list[str] = []
DATABASES: dict[str, object] = {}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
LOGGING_CONFIG = None  # __main__ sets up logging, for the server and the application together
