"""What every `/eps` endpoint does around its one call inward: read, authenticate, count, translate refusals into the dialect.

A caller who is not authentic is counted by address only, so nobody can use up a merchant's allowance in its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from common.changes import Actor
from common.database import AWAY
from common.errors import CounterfoilError, InvalidRequest, RateLimitExceeded, ServiceUnavailable
from merchants.api.addresses import client_address
from merchants.api.form_body import read_form_body
from merchants.api.throttling import Verdict, limit
from merchants.rates import NO_PLAN
from merchants.selectors import EpsMerchant
from payments.facades.eps.answers import refusal, respond
from payments.facades.eps.codes import FORMAT_ERROR, code_of_error
from payments.facades.eps.messages import authenticate, read_fields

log = structlog.get_logger(__name__)


@method_decorator(
    csrf_exempt, name="dispatch"
)  # a merchant's message is authentic by its CHECKSUM, and no session is involved
class EpsView(View):
    """One endpoint. Subclasses say method, scope and what epic-v1 signs, and answer an authentic message."""

    http_method: ClassVar[str]
    scope: ClassVar[str]  # of the rate limit
    joined: ClassVar[tuple[str, ...]]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.now: datetime = timezone.now()
        self.fields: Mapping[str, str] = {}
        self.merchant: EpsMerchant | None = None

    def answer(self, merchant: EpsMerchant) -> HttpResponseBase:
        """Answer the authentic message in `self.fields`. Raises CounterfoilError."""
        raise NotImplementedError

    @property
    def actor(self) -> Actor:
        code = "" if self.merchant is None else self.merchant.code
        return Actor(f"merchant:{code}/eps", request_id=getattr(self.request, "request_id", ""))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != self.http_method:
            return self._not_allowed()
        verdict: Verdict | None = None
        try:
            try:
                self.fields = self._read()
                self.merchant = authenticate(self.fields, joined=self.joined, now=self.now)
            finally:  # it counts whether or not it is believed
                verdict = self._count()
                if not verdict.allowed:
                    raise RateLimitExceeded("Too many requests. Please wait a moment.")
            response = self.answer(self.merchant)
        except CounterfoilError as exc:
            response = self._refuse(exc)
        except AWAY as exc:
            log.error("eps.database_away", error=type(exc).__name__)
            response = self._refuse(ServiceUnavailable(""))
        for name, value in (verdict.headers() if verdict else {}).items():
            response[name] = value
        response["Cache-Control"] = "no-store"
        return response

    def _read(self) -> dict[str, str]:
        query = self.request.META.get("QUERY_STRING", "")
        if self.http_method == "GET":
            return read_fields(query.encode(errors="surrogateescape"))
        if query:
            raise InvalidRequest("Send the fields in the body, not in the address.")
        return read_fields(read_form_body(self.request))

    def _count(self) -> Verdict:
        known = self.merchant
        return limit(
            scope=self.scope,
            plan=NO_PLAN if known is None else known.rate_plan,
            credential=None if known is None else known.id,
            address=client_address(self.request),
        )

    def _refuse(self, error: CounterfoilError) -> HttpResponse:
        fields = refusal(code_of_error(error), error.message, self.merchant, self.fields)
        return respond(self.request, fields, status=error.status)

    def _not_allowed(self) -> HttpResponse:
        fields = refusal(FORMAT_ERROR, f"Use {self.http_method}.", None, {})
        response = respond(self.request, fields, status=405)
        response["Allow"] = self.http_method
        return response
