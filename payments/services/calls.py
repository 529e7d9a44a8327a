"""Opening a provider for one call."""

from __future__ import annotations

import threading

from django.conf import settings

from merchants.selectors import OpenAccount
from payments.models import Operation
from payments.providers.base import Account, Kind, OperationRequest, Provider
from payments.providers.registry import provider_class
from payments.providers.session import open_session

_local = threading.local()


def open_provider(account: OpenAccount) -> Provider:
    """The adapter of the account's provider, with this thread's HTTP session."""
    if not hasattr(_local, "session"):
        _local.session = open_session()  # the one that tells "not sent" from "unknown"
    return provider_class(account.provider)(
        Account(id=account.id, config=account.config, credentials=account.credentials),
        session=_local.session,
        timeout=settings.PROVIDER_TIMEOUT_SECONDS,
    )


def operation_request(operation: Operation) -> OperationRequest:
    """The same request on every try and look-up, from the rows alone."""
    payment, transaction = operation.payment, operation.payment.transaction
    opening = _opening(operation)
    return OperationRequest(
        kind=Kind(operation.kind),
        reference=operation.reference,
        amount=operation.amount,
        at=operation.created_at,
        description=transaction.description or transaction.external_reference or payment.payment_trans_id,
        return_url=return_url(payment.provider_account.provider),
        bank_code=payment.bank_code,
        business_banking=payment.business_banking,
        payer_name=transaction.payer_name,
        payer_email=transaction.payer_email,
        payer_phone=transaction.payer_phone,
        original_reference=opening.reference if opening else "",
        original_provider_reference=payment.provider_reference if opening else "",
        original_at=opening.created_at if opening else None,
    )


def _opening(operation: Operation) -> Operation | None:
    """The sale or authorisation that a later operation acts on."""
    if operation.kind in (Kind.SALE, Kind.AUTHORIZE):
        return None
    return Operation.objects.get(payment_id=operation.payment_id, kind__in=(Kind.SALE, Kind.AUTHORIZE))


def return_url(provider: str) -> str:
    """Where the provider sends the payer's browser back to."""
    return f"{settings.PUBLIC_BASE_URL}/pay/return/{provider}"
