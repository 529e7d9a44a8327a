"""What merchants send: JSON fields and filters, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from common.errors import InvalidRequest
from common.events import EVENT_TYPES, TEST_EVENT
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
REPLAYABLE = (DeliveryState.DEAD, DeliveryState.DELIVERED)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # only where finish() refuses


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


@dataclass(frozen=True, slots=True)
class ReplayInput:
    """The body of a bulk replay."""

    since: datetime
    until: datetime
    state: DeliveryState
    endpoint_id: str | None
    event_types: tuple[str, ...]


def read_replay(content: Mapping[str, Any]) -> ReplayInput:
    """`from` and `to` are required: nobody replays everything by leaving something out. Raises InvalidRequest."""
    fields = Fields(dict(content))
    since, until = (_instant(fields, name) for name in ("from", "to"))
    state = fields.choice("state", REPLAYABLE, default=DeliveryState.DEAD)
    event_types = _event_types(fields) or ()
    for event_type in sorted(set(event_types) - {*EVENT_TYPES, TEST_EVENT}):
        fields.refuse("eventTypes", f"Unknown: {event_type[:40]}.")
    endpoint_id = fields.text("endpointId", maximum=40) or None
    if since and until and since >= until:
        fields.refuse("from", "It is not before to.")
    fields.finish()
    return ReplayInput(since or _NEVER, until or _NEVER, DeliveryState(state), endpoint_id, event_types)


def _instant(fields: Fields, name: str) -> datetime | None:
    value = fields.take(name, required=True)
    if value is None:
        return None
    try:
        return read_instant(value if type(value) is str else "")
    except ValueError:
        fields.refuse(name, "Send a time such as 2026-03-02T04:00:00Z.")
        return None


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
