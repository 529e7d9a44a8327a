"""The API, the console and the payer's pages."""

import django

from config.env import choose_settings

choose_settings()
django.setup(set_prefix=False)

from common.requests import Utf8WSGIHandler  # noqa: E402 needs the settings
from config.checks import refuse_unsafe_settings  # noqa: E402 as above

refuse_unsafe_settings()
application = Utf8WSGIHandler()
