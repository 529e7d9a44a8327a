"""The routes of webhooks (contracts section 3): thin translation onto the services.

No Idempotency-Key here: the answer to a creation holds a secret, which is not kept anywhere in clear, not even for a repeat.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiResponse, extend_schema

from merchants.api.base import MerchantRequest, MerchantView, answer, respond
from merchants.api.pagination import read_page
from merchants.api.rendering import render
from merchants.scopes import Scope
from merchants.services.idempotency import Reply
from notifications.api import schemas
from notifications.api.inputs import read_endpoint, read_filter, read_replay
from notifications.api.outputs import delivery_detail, delivery_output, endpoint_output
from notifications.models import DisabledReason, WebhookDelivery, WebhookEndpoint
from notifications.selectors import deliveries_of, endpoints_of, find_delivery, find_endpoint
from notifications.services.endpoints import (
    endpoint_create,
    endpoint_disable,
    endpoint_rotate_secret,
    endpoint_test,
    endpoint_update,
)
from notifications.services.replay import Replay, deliveries_replay, delivery_replay


class WebhookView(MerchantView):
    """Every method needs webhook:manage: who reads deliveries reads events."""

    required_scopes = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), Scope.WEBHOOK_MANAGE)
    has_body = False

    def endpoint(self, request: MerchantRequest, endpoint_id: str) -> WebhookEndpoint:
        caller = request.caller
        return find_endpoint(merchant_id=caller.merchant_id, live=caller.live, endpoint_id=endpoint_id)

    def delivery(self, request: MerchantRequest, delivery_id: str) -> WebhookDelivery:
        caller = request.caller
        return find_delivery(merchant_id=caller.merchant_id, live=caller.live, delivery_id=delivery_id)


class Endpoints(WebhookView):
    has_body = True
    more_errors = {"POST": ("422",)}

    @extend_schema(
        operation_id="listWebhookEndpoints",
        parameters=schemas.PAGING,
        responses={200: schemas.page_of(schemas.Endpoint)},
    )
    def get(self, request: MerchantRequest) -> HttpResponse:
        page = read_page(request.query_params)
        rows = page.of(endpoints_of(merchant_id=request.caller.merchant_id, live=request.caller.live))
        return answer(page.answer(rows, [endpoint_output(endpoint) for endpoint in rows[: page.limit]]))

    @extend_schema(
        operation_id="createWebhookEndpoint",
        request=schemas.NewEndpoint,
        responses={201: schemas.EndpointWithSecret},
    )
    def post(self, request: MerchantRequest) -> HttpResponse:
        sent = read_endpoint(request.json, new=True)
        endpoint, secret = endpoint_create(
            merchant_id=request.caller.merchant_id,
            live=request.caller.live,
            url=sent.url or "",
            description=sent.description or "",
            event_types=sent.event_types or (),
            actor=request.actor,
            now=now(),
        )
        return answer(endpoint_output(endpoint, secret=secret), status=201)


class Endpoint(WebhookView):
    more_errors = {"PATCH": ("422",)}

    @extend_schema(operation_id="getWebhookEndpoint", responses={200: schemas.Endpoint})
    def get(self, request: MerchantRequest, endpoint_id: str) -> HttpResponse:
        return answer(endpoint_output(self.endpoint(request, endpoint_id)))

    @extend_schema(
        operation_id="updateWebhookEndpoint",
        request=schemas.EndpointChanges,
        responses={200: schemas.Endpoint},
    )
    def patch(self, request: MerchantRequest, endpoint_id: str) -> HttpResponse:
        sent = read_endpoint(request.json, new=False)
        endpoint = endpoint_update(
            endpoint_id=self.endpoint(request, endpoint_id).pk,
            url=sent.url,
            description=sent.description,
            event_types=sent.event_types,
            is_active=sent.active,
            actor=request.actor,
            now=now(),
        )
        return answer(endpoint_output(endpoint))

    @extend_schema(operation_id="deactivateWebhookEndpoint", responses={204: None})
    def delete(self, request: MerchantRequest, endpoint_id: str) -> HttpResponse:
        """Deactivates it. Its deliveries stay readable, and it can be activated again."""
        endpoint_disable(
            endpoint_id=self.endpoint(request, endpoint_id).pk,
            reason=DisabledReason.MERCHANT,
            actor=request.actor,
            now=now(),
        )
        return HttpResponse(status=204)


class EndpointSecret(WebhookView):
    @extend_schema(operation_id="rotateWebhookSecret", request=None, responses={200: schemas.EndpointWithSecret})
    def post(self, request: MerchantRequest, endpoint_id: str) -> HttpResponse:
        endpoint, secret = endpoint_rotate_secret(
            endpoint_id=self.endpoint(request, endpoint_id).pk, actor=request.actor, now=now()
        )
        return answer(endpoint_output(endpoint, secret=secret))


class EndpointTest(WebhookView):
    @extend_schema(operation_id="testWebhookEndpoint", request=None, responses={202: schemas.Delivery})
    def post(self, request: MerchantRequest, endpoint_id: str) -> HttpResponse:
        """Sends a `webhook.test` event. What came of it shows in the delivery."""
        delivery = endpoint_test(endpoint_id=self.endpoint(request, endpoint_id).pk, actor=request.actor, now=now())
        return answer(delivery_output(delivery), status=202)


class Deliveries(WebhookView):
    @extend_schema(
        operation_id="listWebhookDeliveries",
        parameters=[*schemas.DELIVERY_FILTERS, *schemas.PAGING],
        responses={200: schemas.page_of(schemas.Delivery)},
    )
    def get(self, request: MerchantRequest) -> HttpResponse:
        page = read_page(request.query_params)
        wanted = read_filter(request.query_params)
        rows = page.of(deliveries_of(merchant_id=request.caller.merchant_id, live=request.caller.live, wanted=wanted))
        return answer(page.answer(rows, [delivery_output(delivery) for delivery in rows[: page.limit]]))


class DeliveriesReplay(WebhookView):
    idempotent = True
    has_body = True
    more_errors = {"POST": ("404",)}  # an endpoint that is not the caller's

    @extend_schema(
        operation_id="replayWebhookDeliveries",
        request=schemas.ReplayIn,
        responses={202: OpenApiResponse(schemas.ReplayOut, description="They are sent again from now on.")},
    )
    def post(self, request: MerchantRequest) -> HttpResponse:
        """Sends again what was given up (or delivered) in a span of time, after an outage of yours: at most 10,000, or none of them."""
        sent = read_replay(request.json)
        count = deliveries_replay(
            wanted=Replay(
                merchant_id=request.caller.merchant_id,
                live=request.caller.live,
                since=sent.since,
                until=sent.until,
                state=sent.state,
                endpoint_id=sent.endpoint_id,
                event_types=sent.event_types,
            ),
            actor=request.actor,
            now=now(),
            idempotency=request.idempotency,
            reply=_replayed,
        )
        return respond(_replayed(count))


def _replayed(count: int) -> Reply:
    return Reply(202, render({"replayed": count}))


class Delivery(WebhookView):
    @extend_schema(operation_id="getWebhookDelivery", responses={200: schemas.DeliveryDetail})
    def get(self, request: MerchantRequest, delivery_id: str) -> HttpResponse:
        return answer(delivery_detail(self.delivery(request, delivery_id)))


class DeliveryReplay(WebhookView):
    @extend_schema(operation_id="replayWebhookDelivery", request=None, responses={202: schemas.Delivery})
    def post(self, request: MerchantRequest, delivery_id: str) -> HttpResponse:
        """Sends a delivery again that was delivered or given up: the same event id, the same bytes."""
        delivery = delivery_replay(delivery_id=self.delivery(request, delivery_id).pk, actor=request.actor, now=now())
        return answer(delivery_output(delivery), status=202)
