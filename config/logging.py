"""One JSON object a line: event, fields, request id. The last step before a line is written takes secrets and card numbers out.

Redaction works on the finished record, so it also covers what a library or an exception put there. JSON escapes line breaks: nobody
can forge a line.
"""

from __future__ import annotations

from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from common.cards import mask_card_numbers
from config import env

_SECRET_KEYS = (
    "password",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "x-api-key",
    "pass_phrase",
    "private_key",
    "checksum",
    "cookie",
    "signature",
    "credentials",
)
_HIDDEN = "[hidden]"


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide values under secret-looking keys and mask card numbers everywhere, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if isinstance(key, str) and any(word in key.lower() for word in _SECRET_KEYS):
        return _HIDDEN if value else value
    if isinstance(value, str):
        return mask_card_numbers(value)
    if isinstance(value, dict):
        return {k: _clean(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else mask_card_numbers(str(value))


_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_LAST = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_LAST],
            "foreign_pre_chain": [*_SHARED, structlog.stdlib.PositionalArgumentsFormatter()],
        }
    },
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["out"], "level": env.LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},  # one line a task is noise; failures stay
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
