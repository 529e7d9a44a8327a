"""One JSON object a line: event, fields, request id. The last step before a line is written takes secrets and card numbers out.

JSON escapes line breaks, so nobody forges a line. Only stderr is written: who starts the process decides where lines go.
"""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from common.redaction import clean
from config import env

_LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}  # JSON lets them pass


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The record without secrets and card numbers, at any depth."""
    return {key: clean(key, value) for key, value in event.items()}


def _json(record: EventDict, **_options: Any) -> str:
    text = orjson.dumps(record).decode()  # clean() left only what JSON knows
    return text if text.isascii() else text.translate(_LINE_BREAKS)


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_LAST: list[Processor] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    redact,
    structlog.processors.JSONRenderer(serializer=_json),
]

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
        "json": {"()": structlog.stdlib.ProcessorFormatter, "processors": _LAST, "foreign_pre_chain": _SHARED}
    },
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["out"], "level": env.LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # common.http logs every request once
        # one line a task is noise; failures stay
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django_structlog.celery": {"level": "WARNING"},
    },
}
