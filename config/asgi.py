"""Live streams, in a process of their own: an ASGI worker holds a thousand idle connections, a WSGI thread holds one."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
application = get_asgi_application()

from config.checks import refuse_unsafe_settings  # noqa: E402 needs the settings

refuse_unsafe_settings()
