"""Opening a stream: who, how often, may they, and from where on. Runs on a thread like every view; the stream itself does not."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from common.errors import InvalidRequest, NotFound, RateLimitExceeded, ServiceUnavailable
from merchants.api.base import MerchantRequest, MerchantView
from merchants.api.live import EVENT_STREAM, LAST_EVENT_ID, TICKET, EventStreamRenderer, Tenant, read_ticket
from merchants.scopes import Scope
from notifications.live.facts import is_known
from notifications.live.hub import Hub
from notifications.live.stream import Stream

# Below the number of requests that the server takes at once (the backlog in the Procfile), so that it can still say no.
MAX_STREAMS = 2_000
MAX_STREAMS_OF_A_MERCHANT = 1_000
_MAX_SEQUENCE = 2**31 - 1


class EventStream(HttpResponse):
    """The head of a stream; `stream` is what follows."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(content_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
        self.stream = stream


class LiveEvents(MerchantView):
    required_scopes = {"GET": Scope.TRANSACTION_READ}
    renderer_classes = [EventStreamRenderer]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """With a ticket the caller was authenticated, counted and permitted where it was issued."""
        query = request._request.GET
        if TICKET in query:
            self.tenant = read_ticket(query[TICKET], transaction_id=kwargs["transaction_id"])
        else:
            super().initial(request, *args, **kwargs)
            self.tenant = Tenant.of(request.caller)

    def get(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
        seen = _last_seen(request)
        merchant_id = self.tenant.merchant_id
        if not is_known(transaction_id, merchant_id=merchant_id, live=self.tenant.live):
            raise NotFound("There is no such transaction.")
        hub: Hub = request._request.hub  # type: ignore[attr-defined]  # the process has one (app.py)
        if hub.count(merchant_id) >= MAX_STREAMS_OF_A_MERCHANT:
            raise RateLimitExceeded("Too many streams are open. Close some.", limit=MAX_STREAMS_OF_A_MERCHANT)
        if hub.count() >= MAX_STREAMS:
            raise ServiceUnavailable("Too many streams are open. Try again in a moment, or ask for application/json.")
        stream = Stream(
            transaction_id=transaction_id, merchant_id=merchant_id, credential=self.tenant.credential, seen=seen
        )
        return EventStream(stream)


def _last_seen(request: MerchantRequest) -> int:
    """The sequence after which to begin. The header, which reconnecting clients send, goes before the query."""
    plain = request._request
    given = plain.META.get("HTTP_LAST_EVENT_ID") or plain.GET.get(LAST_EVENT_ID) or "0"
    if not (given.isascii() and given.isdigit() and len(given) <= 10 and int(given) <= _MAX_SEQUENCE):
        raise InvalidRequest("Not right: lastEventId.", fields={LAST_EVENT_ID: ["Send the id of the last event seen."]})
    return int(given)
