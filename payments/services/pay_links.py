"""The link a payer follows: `{PUBLIC_BASE_URL}/pay/{token}`. The token is the transaction's id with our signature, so nothing is stored."""

from __future__ import annotations

from django.conf import settings
from django.core.signing import BadSignature, Signer


def pay_url(transaction_id: str) -> str:
    """Where the payer of this transaction has to go."""
    return f"{settings.PUBLIC_BASE_URL}{pay_path(transaction_id)}"


def pay_path(transaction_id: str) -> str:
    """The same without the host, for links between the pages."""
    return f"/pay/{_signer().sign(transaction_id)}"


def transaction_of(token: str) -> str | None:
    """The id of the transaction that a token was made for, None if we did not make it."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        return None


def _signer() -> Signer:
    return Signer(salt="counterfoil.pay")
