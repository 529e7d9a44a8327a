"""The way from the web process to a live stream: a redirect with a ticket.

Streams are served by a process of their own (notifications/live), usually on another port or host, where clients do not send their
Authorization on. So the redirect carries a signed ticket: this transaction, of this merchant, in this mode, for a minute.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpResponse, HttpResponseRedirect
from rest_framework.renderers import BaseRenderer

from common.errors import ServiceUnavailable, Unauthorized
from merchants.api.base import MerchantRequest
from merchants.caller import Caller

EVENT_STREAM = "text/event-stream"
TICKET, LAST_EVENT_ID = "ticket", "lastEventId"  # in the query
TICKET_SECONDS = 60
_SALT = "counterfoil.live-ticket.2"  # the second form of what is signed


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose transaction it is, in which mode, and by what right: the key or session (Caller.row_id) that a stream lasts no longer than."""

    merchant_id: str
    live: bool
    credential: str

    @classmethod
    def of(cls, caller: Caller) -> Tenant:
        return cls(caller.merchant_id, caller.live, caller.row_id)


class EventStreamRenderer(BaseRenderer):
    """Lets content negotiation offer streams. What a view answers to it is a response of its own, never rendered data."""

    media_type = EVENT_STREAM
    format = "event-stream"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        raise NotImplementedError("a stream is no rendered value")


def to_live_stream(request: MerchantRequest, *, transaction_id: str) -> HttpResponse:
    """307 to the live process. The caller has been found to own the transaction. Raises ServiceUnavailable without LIVE_URL."""
    if not settings.LIVE_URL:
        raise ServiceUnavailable("Live streams are not offered here. Ask for application/json.")
    query = {TICKET: ticket_for(Tenant.of(request.caller), transaction_id=transaction_id)}
    if LAST_EVENT_ID in request._request.GET:
        query[LAST_EVENT_ID] = request._request.GET[LAST_EVENT_ID]
    url = f"{settings.LIVE_URL}/api/v1/transactions/{transaction_id}/events?{urlencode(query)}"
    return HttpResponseRedirect(url, preserve_request=True)


def ticket_for(tenant: Tenant, *, transaction_id: str) -> str:
    """What opens streams of this transaction for the next minute."""
    return TimestampSigner(salt=_SALT).sign_object([transaction_id, *astuple(tenant)])


def read_ticket(ticket: str, *, transaction_id: str) -> Tenant:
    """Who was given the ticket. Raises Unauthorized if it is not ours, too old, or of another transaction."""
    try:
        ticketed, *tenant = TimestampSigner(salt=_SALT).unsign_object(ticket, max_age=TICKET_SECONDS)
    except BadSignature:
        ticketed = None
    if ticketed != transaction_id:
        raise Unauthorized("The ticket is not valid any more. Ask the API for the stream again.")
    return Tenant(*tenant)
