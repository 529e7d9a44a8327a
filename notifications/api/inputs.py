"""What merchants send: JSON fields and filters, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict

from common.errors import InvalidRequest
from merchants.api.fields import Fields
from merchants.api.instants import EXPECTED, read_instant
from notifications.channels.webhook.target import MAX_URL
from notifications.models import DeliveryState
from notifications.selectors import DeliveryFilter

_FILTERS = {
    "endpoint": "endpoint_id",
    "eventType": "event_type",
    "state": "state",
    "transactionId": "transaction_id",
    "createdFrom": "created_from",
    "createdTo": "created_to",
}
_PAGING = {"limit", "cursor"}


@dataclass(frozen=True, slots=True)
class EndpointInput:
    """The fields of an endpoint that a merchant may set; None: not sent."""

    url: str | None
    description: str | None
    event_types: tuple[str, ...] | None
    active: bool | None


def read_endpoint(content: Mapping[str, Any], *, new: bool) -> EndpointInput:
    """A new endpoint needs its url and is active. Raises InvalidRequest."""
    fields = Fields(dict(content))
    sent = EndpointInput(
        url=fields.text("url", maximum=MAX_URL, required=True) if new or "url" in content else None,
        description=fields.text("description", maximum=255) if "description" in content else None,
        event_types=_event_types(fields),
        active=None if new else fields.flag("active"),
    )
    fields.finish()
    return sent


def _event_types(fields: Fields) -> tuple[str, ...] | None:
    value = fields.take("eventTypes")
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        fields.refuse("eventTypes", "Send a list of event types; an empty one means all.")
        return None
    return tuple(value)


def read_filter(query: QueryDict) -> DeliveryFilter:
    """The filters of a query string. Raises InvalidRequest."""
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for name in query:
        text = str(query[name])
        if name in _PAGING:
            continue
        if name not in _FILTERS:
            errors[name[:60]] = [f"There is no such filter. Known: {', '.join(_FILTERS)}."]
        elif not text.strip():
            errors[name] = ["Send a value, or leave it out."]
        elif name == "state" and text not in DeliveryState.values:
            errors[name] = [f"Choose one of {', '.join(DeliveryState.values)}."]
        elif name in ("createdFrom", "createdTo"):
            values[_FILTERS[name]] = _moment(name, text, errors)
        else:
            values[_FILTERS[name]] = text
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(sorted(errors))}.", fields=errors)
    return DeliveryFilter(**values)


def _moment(name: str, text: str, errors: dict[str, list[str]]) -> datetime | None:
    try:
        return read_instant(text)
    except ValueError:
        errors[name] = [EXPECTED]
        return None
