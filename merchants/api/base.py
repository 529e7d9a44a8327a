"""What every route of the merchant API has: a caller, a scope, a rate limit, idempotency and one shape of errors.

    class Refunds(MerchantView):
        required_scopes = {"POST": Scope.REFUND_CREATE}     # a method without a scope is refused
        idempotent = True                                   # POST reads Idempotency-Key

        def post(self, request: MerchantRequest, transaction_id: str) -> HttpResponse:
            refund = refund_request(..., actor=request.actor, now=now(), idempotency=request.idempotency, reply=refund_reply)
            return respond(refund_reply(refund))

The service keeps the answer in the statement that has the effect. A repeat makes that statement fail on the key, and is answered
here from what was kept (contracts section 2).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

import orjson
from django.db import IntegrityError
from django.http import Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from common.cards import contains_card_number
from common.changes import Actor
from common.errors import (
    CardDataNotAllowed,
    CounterfoilError,
    IdempotencyKeyRequired,
    InvalidRequest,
    NotFound,
    RateLimitExceeded,
    RequestInProgress,
    Unauthorized,
)
from merchants import rates
from merchants.api.addresses import client_address
from merchants.api.authentication import MerchantAuthentication
from merchants.api.errors import error_reply, error_response, request_id_of
from merchants.api.parsing import parse_json, read_body, require_json
from merchants.api.permissions import HasScope
from merchants.api.rendering import OrjsonRenderer, render
from merchants.api.schema import MerchantSchema
from merchants.api.throttling import Verdict, limit
from merchants.caller import Caller
from merchants.scopes import Scope
from merchants.services.idempotency import CONSTRAINT, IdempotencyKey, Reply

REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[ -+\--~]{1,255}")  # printable ASCII; no comma, which is how servers join a header sent twice


class MerchantRequest(Request):
    """A request of an authenticated merchant."""

    caller: Caller
    actor: Actor
    idempotency: IdempotencyKey | None = None
    body_optional: bool = False

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body, strictly read. Raises InvalidRequest, CardDataNotAllowed, PayloadTooLarge, UnsupportedMediaType."""
        body = read_body(self._request)
        if body:
            require_json(self._request)
        elif self.body_optional:
            return {}
        return parse_json(body)


class MerchantView(APIView):
    """Base of all routes for merchants."""

    required_scopes: ClassVar[Mapping[str, Scope]] = {}
    idempotent: ClassVar[bool] = False
    body_optional: ClassVar[bool] = False  # an empty body reads as {}
    more_errors: ClassVar[
        Mapping[str, tuple[str, ...]]
    ] = {}  # for the document: statuses that its method has besides the usual
    has_body: ClassVar[bool] = True  # whether POST carries JSON; the fingerprint of an idempotency key needs to know

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    authentication_classes = [MerchantAuthentication]
    permission_classes = [HasScope]
    renderer_classes = [OrjsonRenderer]
    format_kwarg = None  # no ".json" at the end of addresses
    schema = MerchantSchema()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> MerchantRequest:
        wrapped = MerchantRequest(
            request, authenticators=self.get_authenticators(), negotiator=self.get_content_negotiator()
        )
        wrapped.body_optional = self.body_optional
        return wrapped

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Everything before the method itself. The order matters: who, how often, may they, and only then what they sent."""
        self._authenticate(request)
        self.check_permissions(request)
        request.accepted_renderer, request.accepted_media_type = self._negotiated(request)
        _check_address(request._request.GET, kwargs)
        if self.idempotent and request.method == "POST":
            request.idempotency = self._idempotency_key(request)

    def _negotiated(self, request: MerchantRequest) -> tuple[Any, str]:
        try:
            return cast(tuple[Any, str], self.perform_content_negotiation(request))
        except Http404 as exc:  # the framework's answer to a ?format= that no renderer has; what was asked for is there
            known = ", ".join(str(each.format) for each in self.renderer_classes)
            raise InvalidRequest("Not right: format.", fields={"format": [f"Choose one of {known}."]}) from exc

    def _authenticate(self, request: MerchantRequest) -> None:
        address = client_address(request._request)
        try:
            request.caller = cast(Caller, request.auth)
        except Unauthorized:
            self._count(limit(scope=rates.API, plan=rates.NO_PLAN, credential=None, address=address))
            raise
        request.actor = request.caller.actor(request_id_of(request._request))
        self._count(
            limit(
                scope=rates.API,
                plan=request.caller.rate_plan,
                credential=request.caller.credential_id,
                address=address,
            )
        )

    def _count(self, verdict: Verdict) -> None:
        self._verdict = verdict
        if not verdict.allowed:
            raise RateLimitExceeded(
                f"Too many requests. Try again in {verdict.retry_after_seconds} seconds.",
                limit=verdict.limit,
                retryAfterSeconds=verdict.retry_after_seconds,
            )

    def _idempotency_key(self, request: MerchantRequest) -> IdempotencyKey | None:
        key = request._request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            raise InvalidRequest("Send one Idempotency-Key of 1 to 255 printable ASCII characters without commas.")
        if contains_card_number(key):
            raise CardDataNotAllowed("Never send card numbers. Nothing of this request was kept.")
        body = orjson.dumps(request.json if self.has_body else {}, option=orjson.OPT_SORT_KEYS)
        text = b"\n".join([str(request.method).encode(), request._request.path.encode(), body])
        return IdempotencyKey(request.caller.merchant_id, request.caller.live, key, hashlib.sha256(text).digest())

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # any answer will do
        """The answer to a failure; under an idempotency key, the answer that was given before if there is one."""
        request_id = request_id_of(self.request._request)
        key: IdempotencyKey | None = getattr(self.request, "idempotency", None)
        if key is not None:
            try:
                return self._answer_by_key(key, exc, request_id)
            except Exception as again:  # what comes out, the original included, is answered below in one shape
                exc = again
        return error_response(exc, request_id=request_id)

    @staticmethod
    def _answer_by_key(key: IdempotencyKey, exc: Exception, request_id: str) -> HttpResponse:
        if not isinstance(exc, CounterfoilError | IntegrityError):
            raise exc
        kept = key.find(now=timezone.now())
        if kept is not None:
            return respond(kept, replayed=True)
        if isinstance(exc, IntegrityError) and CONSTRAINT in str(exc):
            raise RequestInProgress("A request with this Idempotency-Key is being processed. Try again in a moment.")
        if isinstance(exc, CounterfoilError) and exc.executed:
            reply = error_reply(exc, request_id=request_id, now=timezone.now())
            stored = key.store_refusal(reply, now=timezone.now())
            return respond(stored, replayed=stored != reply)
        raise exc

    def finalize_response(self, request: Any, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Any:
        verdict: Verdict | None = getattr(self, "_verdict", None)
        if verdict is not None:
            for name, value in verdict.headers().items():
                response[name] = value
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]  # as above


def _check_address(query: QueryDict, path: Mapping[str, str]) -> None:
    """No route has to think of parameters given twice, nor of characters that no id and no filter has (NUL above all)."""
    if not all(value.isascii() and value.isprintable() for value in path.values()):
        raise NotFound("There is no such thing.")
    errors = {}
    for name, values in query.lists():
        if len(values) > 1:
            errors[name[:60]] = ["Give it once."]
        elif not (name.isprintable() and values[0].isascii() and values[0].isprintable()):
            errors[name[:60]] = ["Send printable ASCII text."]
    if errors:
        raise InvalidRequest(f"Not right: {', '.join(sorted(errors))}.", fields=errors)


def require_key(request: MerchantRequest, *, natural_key: str | None = None) -> None:
    """Refuse a POST that nothing protects from being executed twice, where the merchant's setting asks for it."""
    if request.caller.require_idempotency and request.idempotency is None and natural_key is None:
        raise IdempotencyKeyRequired("Send an Idempotency-Key with this request, so that it cannot be executed twice.")


def respond(reply: Reply, *, replayed: bool = False) -> HttpResponse:
    """An answer from its bytes."""
    response = HttpResponse(reply.body, status=reply.status, content_type="application/json")
    if replayed:
        response[REPLAYED] = "true"
    return response


def answer(content: Any, *, status: int = 200) -> HttpResponse:
    """An answer from plain values (see rendering)."""
    return respond(Reply(status, render(content)))
