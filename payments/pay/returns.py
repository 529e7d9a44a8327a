"""Sending the payer back to the merchant with what became of the payment. The merchant believes its signature or asks us: what a
browser carries unsigned is for display only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from merchants.selectors import eps_merchant
from payments.facades.eps.answers import state_of
from payments.models.transaction import Channel
from payments.pay.stages import Situation


@dataclass(frozen=True, slots=True)
class MerchantReturn:
    """The request that takes the payer's browser back: a link to follow (GET) or a form to post."""

    method: str
    url: str
    fields: Mapping[str, str]


def merchant_return(situation: Situation) -> MerchantReturn | None:
    """None if the merchant gave no address, or may not use EPS any more."""
    transaction, payment = situation.transaction, situation.payment
    if not transaction.return_url:
        return None
    if transaction.channel == Channel.EPS and payment is not None:
        merchant = eps_merchant(transaction.merchant.code)
        if merchant is None:
            return None
        return MerchantReturn("POST", transaction.return_url, state_of(transaction, payment, merchant))
    told = {
        "transactionId": transaction.pk,
        "status": transaction.status,
        "externalReference": transaction.external_reference or "",
    }
    return MerchantReturn("GET", _with_query(transaction.return_url, told), {})


def _with_query(url: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(added))))
    return parts._replace(query=query).geturl()
