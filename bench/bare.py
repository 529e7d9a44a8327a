"""Reference rung: a bare Django view that writes the rows of one payment by the ORM. No authentication, validation, signature or limit.

A WSGI application of its own: `granian --interface wsgi bench.bare:application`. It serves POST / with a JSON body
{"key", "merchant_id", "account_id"}.
"""

from __future__ import annotations

import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone

django.setup()

from common.ids import new_id, new_reference
from common.models import AuditRecord, Fact
from merchants.models import IdempotencyRecord
from payments.models import Operation, Payment, Transaction


def create(request: HttpRequest) -> JsonResponse:
    body, now = json.loads(request.body), timezone.now()
    with transaction.atomic():
        IdempotencyRecord.objects.create(
            merchant_id=body["merchant_id"],
            live=False,
            key=body["key"],
            fingerprint=bytes(32),
            status=201,
            body=b"{}" * 200,
            created_at=now,
        )
        new = Transaction.objects.create(
            id=new_id("txn"),
            merchant_id=body["merchant_id"],
            live=False,
            channel="api",
            method="migs",
            currency="MYR",
            amount_minor=10_000,
            external_reference=body["key"],
            content_hash=bytes(32),
            description="Order",
            expires_at=now,
            created_at=now,
            updated_at=now,
        )
        payment = Payment.objects.create(
            id=new_id("pay"),
            transaction=new,
            provider_account_id=body["account_id"],
            payment_trans_id=new_reference("EPG", now),
            currency="MYR",
            amount_minor=10_000,
            next_action={"type": "redirect", "fields": {str(n): "x" * 20 for n in range(12)}},
            created_at=now,
            updated_at=now,
        )
        Operation.objects.create(
            id=new_id("op"),
            payment=payment,
            kind="SALE",
            state="PENDING",
            reference=payment.payment_trans_id,
            currency="MYR",
            amount_minor=10_000,
            due_at=now,
            created_at=now,
        )
        AuditRecord.objects.create(
            at=now,
            actor="bench",
            action="transaction.created",
            subject_type="transaction",
            subject_id=new.pk,
            version=1,
            merchant_id=body["merchant_id"],
            changes={"status": [None, "PENDING"]},
        )
        Fact.objects.create(
            id=new_id("evt"),
            name="transaction.created",
            subject_type="transaction",
            subject_id=new.pk,
            sequence=1,
            merchant_id=body["merchant_id"],
            live=False,
            payload={"transactionId": new.pk, "status": "PENDING"},
            created_at=now,
        )
    return JsonResponse({"id": new.pk}, status=201)


urlpatterns = [path("", create)]
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = __name__
application = get_wsgi_application()
