"""Every delivery is signed twice over the same bytes (contracts section 4).

Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`, by every secret that is valid, so a receiver may change over at any
moment of a rotation. And the header of S2: `X-Webhook-Signature: sha256=<hex>`, keyed with the current secret as the merchant sees it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"


def new_secret() -> str:
    """A signing secret: 32 random bytes as Standard Webhooks writes them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(*, event_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The signature headers of one attempt. `secrets` as shown to the merchant, the current one first."""
    timestamp = str(int(at.timestamp()))
    message = f"{event_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(_key(secret), message, hashlib.sha256)).decode() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "X-Webhook-Signature": "sha256=" + hmac.digest(secrets[0].encode(), body, hashlib.sha256).hex(),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))
