"""The API, the console and the payer's pages."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
application = get_wsgi_application()

from config.checks import refuse_unsafe_settings  # noqa: E402 needs the settings

refuse_unsafe_settings()
