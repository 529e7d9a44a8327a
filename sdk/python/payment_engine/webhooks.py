"""Checking that a webhook is ours, on the raw body, before it is parsed. Every delivery carries two signatures over the same bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

from payment_engine.errors import PaymentEngineError, WebhookVerificationError
from payment_engine.models import Event, parse

TOLERANCE_SECONDS = 300
_ID, _TIMESTAMP, _SIGNATURE, _PLAIN = "webhook-id", "webhook-timestamp", "webhook-signature", "x-webhook-signature"


def verify_webhook(
    payload: bytes | str,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Event:
    """The event, once its signature is right. Raises WebhookVerificationError.

    The Standard Webhooks headers decide, and refuse a time more than `tolerance` seconds off. Where a proxy has dropped all three,
    X-Webhook-Signature decides; it proves who sent the body, not when, so keep the event ids that you have handled.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    given = {name.lower(): value for name, value in headers.items()}
    if any(name in given for name in (_ID, _TIMESTAMP, _SIGNATURE)):
        _verify_standard(body, given, secret, tolerance=tolerance, now=time.time() if now is None else now)
    elif not verify_webhook_signature(body, given.get(_PLAIN), secret):
        raise WebhookVerificationError("X-Webhook-Signature is missing or does not match")
    try:
        return Event.of(parse(body))
    except (ValueError, PaymentEngineError) as exc:
        raise WebhookVerificationError("the body is not an event") from exc


def verify_webhook_signature(payload: bytes | str, signature: str | None, secret: str) -> bool:
    """Whether X-Webhook-Signature (`sha256=<hex>`, keyed with the whole secret string) is right."""
    body = payload.encode() if isinstance(payload, str) else payload
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (signature or "").encode())


def _verify_standard(body: bytes, given: Mapping[str, str], secret: str, *, tolerance: float, now: float) -> None:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as exc:
        raise ValueError("the webhook secret is not as it was shown (whsec_...)") from exc
    sent_at = given.get(_TIMESTAMP, "")
    if not (sent_at.isascii() and sent_at.isdigit()) or abs(now - int(sent_at)) > tolerance:
        raise WebhookVerificationError(f"webhook-timestamp is not within {tolerance:g} seconds of now")
    message = f"{given.get(_ID, '')}.{sent_at}.".encode() + body
    expected = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest())
    for signature in given.get(_SIGNATURE, "").split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(expected, value.encode()):
            return
    raise WebhookVerificationError("webhook-signature is missing or does not match")
