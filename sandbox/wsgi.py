"""The application: opens the store and starts the callback sender once, before the server's threads."""

from __future__ import annotations

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from sandbox import callbacks  # noqa: E402
from sandbox.fpx.keys import ensure_exchange_key  # noqa: E402

ensure_exchange_key()
callbacks.start()
