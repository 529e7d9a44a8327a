"""Both signatures, checked by the receivers' library and by hand, and what a rotation changes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifications.services.endpoints import endpoint_rotate_secret
from notifications.signing import new_secret, signed_headers
from tests.factories import NOW
from tests.notifications.given import MERCHANT, Clock, delivery, endpoint, send_all
from tests.notifications.receiver import receiver


def test_a_vector_by_hand() -> None:
    """The example of the Standard Webhooks specification's libraries, and S2's header over the same bytes."""
    secret, body = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # not a secret: that example's
        b'{"test": 2432232314}',
    )

    headers = signed_headers(
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=datetime.fromtimestamp(1614265330, UTC), body=body, secrets=[secret]
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "X-Webhook-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


def test_secrets_are_256_random_bits() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32
    assert secret != new_secret()


@pytest.mark.django_db(transaction=True)
def test_what_arrives_verifies_with_the_library_and_by_hand() -> None:
    clock = Clock(datetime.now(UTC).replace(microsecond=0))  # the library compares with the real time
    with receiver() as shop:
        to, secret = endpoint(shop.url)
        delivery(to)
        send_all(clock)

    request = shop.requests[0]
    assert Webhook(secret).verify(request.body, request.headers)["eventType"] == "transaction.created"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(request.body, request.headers)
    signed = f"{request.headers['webhook-id']}.{int(clock.now.timestamp())}.".encode() + request.body
    by_hand = base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{by_hand}"
    of_s2 = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-webhook-signature"] == f"sha256={of_s2}"


@pytest.mark.django_db(transaction=True)
def test_both_secrets_sign_for_24_hours_after_a_rotation() -> None:
    real = datetime.now(UTC).replace(microsecond=0)
    with receiver() as shop:
        to, old = endpoint(shop.url)
        _, new = endpoint_rotate_secret(
            endpoint_id=to.pk, actor=MERCHANT, now=real - timedelta(hours=24) + timedelta(seconds=1)
        )
        for at in (real, real + timedelta(seconds=1)):
            delivery(to)
            send_all(Clock(at))

    during, after = shop.requests
    assert old != new
    for secret in (old, new):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(after.body, after.headers)
    assert during.headers["webhook-signature"].count(" ") == 1
    current = hmac.new(new.encode(), during.body, hashlib.sha256).hexdigest()
    assert during.headers["x-webhook-signature"] == f"sha256={current}"


@pytest.mark.django_db
def test_secrets_are_sealed_to_their_cell() -> None:
    to, secret = endpoint()
    rotated, newer = endpoint_rotate_secret(endpoint_id=to.pk, actor=MERCHANT, now=NOW)

    assert rotated.open_secrets(now=NOW) == (newer, secret)
    assert secret not in rotated.secret_sealed + rotated.previous_secret_sealed
    rotated.secret_sealed = rotated.previous_secret_sealed
    with pytest.raises(Exception, match="does not open"):
        rotated.open_secrets(now=NOW)
