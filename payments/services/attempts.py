"""A payment is one attempt at one provider: prepared without any network, written together with whatever asked for it.

For a payer who is redirected nothing has to be sent by us: the signed message goes with the browser, so the operation begins PENDING.
"""

from __future__ import annotations

from datetime import datetime

from common.ids import new_id, new_reference
from common.rows import Rows
from merchants.selectors import OpenAccount
from payments.models import Operation, Payment, Transaction
from payments.providers.base import Kind, OperationRequest
from payments.services.calls import open_provider, return_url
from payments.services.schedule import next_look_up
from payments.states import OperationState, PaymentState


def attempt_prepare(
    *,
    transaction: Transaction,
    attempt: int,
    account: OpenAccount,
    method: str,
    kind: Kind,
    now: datetime,
    bank_code: str = "",
    business_banking: bool = False,
) -> Payment:
    """Attempt number `attempt` at the account's provider, signed and not yet written."""
    reference = new_reference("EPG", now)
    redirect = open_provider(account).redirect(
        OperationRequest(
            kind=kind,
            reference=reference,
            amount=transaction.amount,
            at=now,
            description=transaction.description or transaction.external_reference or reference,
            return_url=return_url(account.provider),
            bank_code=bank_code,
            business_banking=business_banking,
            payer_name=transaction.payer_name,
            payer_email=transaction.payer_email,
            payer_phone=transaction.payer_phone,
        )
    )
    return Payment(
        id=new_id("pay"),
        transaction=transaction,
        attempt=attempt,
        method=method,
        provider_account_id=account.id,
        state=PaymentState.CREATED,
        payment_trans_id=reference,
        currency=transaction.currency,
        amount_minor=transaction.amount_minor,
        bank_code=bank_code,
        business_banking=business_banking,
        next_action={
            "type": "redirect",
            "method": redirect.method,
            "url": redirect.url,
            "fields": dict(redirect.fields),
        },
        created_at=now,
        updated_at=now,
    )


def attempt_add(rows: Rows, payment: Payment, *, kind: Kind, now: datetime) -> None:
    """Add the payment and the operation that opens it to `rows`."""
    rows.add(payment)
    rows.insert(
        Operation,
        id=new_id("op"),
        payment_id=payment.pk,
        kind=kind,
        state=OperationState.PENDING,
        reference=payment.payment_trans_id,
        currency=payment.currency,
        amount_minor=payment.amount_minor,
        due_at=next_look_up(look_ups=0, waiting_for_payer=True, now=now),
        created_at=now,
    )
