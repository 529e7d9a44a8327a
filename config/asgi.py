"""Live streams, in a process of their own: an ASGI worker holds a thousand idle connections, a WSGI thread holds one."""

import django

from config.env import choose_settings

choose_settings()
django.setup(set_prefix=False)

from config.checks import refuse_unsafe_settings  # noqa: E402 needs the settings
from notifications.live.app import LiveApplication  # noqa: E402 as above

refuse_unsafe_settings()
application = LiveApplication()
