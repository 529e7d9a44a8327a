"""`POST /eps/request`, `POST /eps/update` and `GET /eps/reconcile` (S0; contracts section 5)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from common.errors import NotFound
from merchants.rates import EPS_RECONCILE, EPS_REQUEST, EPS_UPDATE
from merchants.selectors import EpsMerchant
from payments.facades.eps import checksum
from payments.facades.eps.answers import refusal, respond, state_of
from payments.facades.eps.base import EpsView
from payments.facades.eps.codes import FORMAT_ERROR
from payments.facades.eps.messages import reconcile_of, update_of
from payments.facades.eps.payment_request import payment_request
from payments.facades.eps.reconcile import csv_answer, page_answer
from payments.models import Payment
from payments.services.pay_links import pay_url
from payments.services.transactions import transaction_create


class PaymentRequest(EpsView):
    """Accept a payment. The same TRANS_ID again is answered with what became of the first one, if it asks for the same thing."""

    http_method = "POST"
    scope = EPS_REQUEST
    joined = checksum.REQUEST

    def answer(self, merchant: EpsMerchant) -> HttpResponse:
        new = payment_request(self.fields, merchant)
        created = transaction_create(new=new, actor=self.actor, now=self.now)
        fields = state_of(created.transaction, created.payment, merchant)
        return respond(self.request, fields, page=pay_url(created.transaction.pk))


class StatusUpdate(EpsView):
    """The state of a transaction now."""

    http_method = "POST"
    scope = EPS_UPDATE
    joined = checksum.UPDATE

    def answer(self, merchant: EpsMerchant) -> HttpResponse:
        trans_id = update_of(self.fields)
        payment = (
            Payment.objects.select_related("transaction")
            .filter(
                transaction__merchant_id=merchant.id,
                transaction__live=merchant.live,
                transaction__external_reference=trans_id,
            )
            .order_by("attempt")
            .last()
        )
        if payment is None:
            raise NotFound("There is no transaction with this TRANS_ID.")
        return respond(self.request, state_of(payment.transaction, payment, merchant))


class Reconciliation(EpsView):
    """Every EPS transaction of one of the merchant's days, with totals."""

    http_method = "GET"
    scope = EPS_RECONCILE
    joined = checksum.RECONCILE

    def answer(self, merchant: EpsMerchant) -> HttpResponseBase:
        day, page, as_csv = reconcile_of(self.fields)
        return csv_answer(merchant, day) if as_csv else page_answer(merchant, day, page)


@csrf_exempt  # there is nothing to forge
def unknown_route(request: HttpRequest) -> HttpResponse:
    """The 404 of everything below /eps/ that is no route."""
    return respond(request, refusal(FORMAT_ERROR, "There is no such route.", None, {}), status=404)
