"""Taking in what providers send, whether they come themselves or by a payer's browser: bounded, read once, handed to one service.

Nobody is limited by number here (S0: unlimited), so everything expensive comes late: the size is checked before the body is read, the
dialect before the database is asked, the signature before anything is written or done.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest
from django.utils import timezone

from common.errors import InvalidRequest
from merchants.api.addresses import client_address
from merchants.api.form_body import FORM, read_form_body
from payments.providers.base import InboundMessage
from payments.providers.forms import UnreadableForm, parse
from payments.services.provider_events import Received, provider_event_receive


def receive(request: HttpRequest) -> Received:
    """Store, verify and act on the message of a request. Raises InvalidRequest when it has not exactly one reading (400), and what
    read_form_body raises (413, 415)."""
    query = request.META.get("QUERY_STRING", "") if request.method == "GET" else ""
    body = b"" if request.method == "GET" else read_form_body(request)
    try:
        fields = parse(query.encode("ascii") if request.method == "GET" else body)
    except (UnreadableForm, UnicodeEncodeError) as exc:
        raise InvalidRequest("The message cannot be read.") from exc
    message = InboundMessage(
        method=request.method or "", content_type=FORM if body else "", query=query, body=body, headers={}
    )
    return provider_event_receive(message=message, fields=fields, source_ip=_source_ip(request), now=timezone.now())


def _source_ip(request: HttpRequest) -> str | None:
    try:
        return str(ip_address(client_address(request)))
    except ValueError:  # a Unix socket has no address
        return None
