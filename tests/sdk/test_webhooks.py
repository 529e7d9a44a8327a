"""Our deliveries, as they arrive, before every verifier a merchant may use: accepted as sent, refused when anything is altered."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import payment_engine
import pytest
from payment_engine import verify_webhook, verify_webhook_signature
from standardwebhooks import Webhook, WebhookVerificationError

from notifications.services.endpoints import endpoint_rotate_secret
from notifications.signing import new_secret
from tests.notifications.given import MERCHANT, Clock, delivery, endpoint, send_all
from tests.notifications.receiver import Received, receiver
from tests.sdk.given import SDK, SNIPPETS, needs_node, needs_node_modules, run_node

pytestmark = pytest.mark.django_db(transaction=True)
STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")


@pytest.fixture
def sent() -> tuple[Received, str, str]:
    """A delivery during a rotation of secrets, the current secret and the one before."""
    clock = Clock(datetime.now(UTC).replace(microsecond=0))
    with receiver() as shop:
        to, old = endpoint(shop.url)
        _, new = endpoint_rotate_secret(endpoint_id=to.pk, actor=MERCHANT, now=clock.now)
        delivery(to)
        send_all(clock)
    return shop.requests[0], new, old


def altered(received: Received) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Body and headers, each with one thing changed."""
    body, headers = received.body, received.headers
    hour_ago = str(int(headers["webhook-timestamp"]) - 3600)
    stranger = base64.b64encode(bytes(32)).decode()
    return {
        "body": (body.replace(b"100.50", b"900.50"), headers),
        "space": (body + b" ", headers),
        "id": (body, headers | {"webhook-id": "evt_other"}),
        "time": (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
        "old time": (body, headers | {"webhook-timestamp": hour_ago}),
        "signature": (body, headers | {"webhook-signature": f"v1,{stranger}"}),
        "no signature": (body, {name: value for name, value in headers.items() if name != "webhook-signature"}),
    }


def test_published_python_verifier(sent):
    received, new, old = sent

    for secret in (new, old):
        assert Webhook(secret).verify(received.body, received.headers)["eventType"] == "transaction.created"
    for body, headers in altered(received).values():
        with pytest.raises(WebhookVerificationError):
            Webhook(new).verify(body, headers)


def test_python_sdk(sent):
    received, new, old = sent
    only_plain = {name: value for name, value in received.headers.items() if name not in STANDARD}
    shouted = {name.upper(): value for name, value in received.headers.items()}

    event = verify_webhook(received.body, received.headers, new)

    assert (event.event_type, event.event_id) == ("transaction.created", received.headers["webhook-id"])
    assert event.data["amount"] == Decimal("100.50")
    assert verify_webhook(received.body.decode(), shouted, old) == event
    assert verify_webhook(received.body, only_plain, new) == event
    for body, headers in altered(received).values():
        with pytest.raises(payment_engine.WebhookVerificationError):
            verify_webhook(body, headers, new)
    for body, headers in (
        (received.body + b" ", only_plain),
        (received.body, {}),
        (received.body, {"X-Webhook-Signature": "é"}),
    ):
        with pytest.raises(payment_engine.WebhookVerificationError):
            verify_webhook(body, headers, new)
    with pytest.raises(payment_engine.WebhookVerificationError):
        verify_webhook(received.body, received.headers, new_secret())
    assert verify_webhook_signature(received.body, received.headers["x-webhook-signature"], new)
    assert not verify_webhook_signature(received.body, received.headers["x-webhook-signature"], old)
    assert not verify_webhook_signature(received.body, None, new)


def test_python_sdk_tolerance(sent):
    received, new, _ = sent
    at = int(received.headers["webhook-timestamp"])

    for late in (-300, 300):
        verify_webhook(received.body, received.headers, new, now=at + late)
    verify_webhook(received.body, received.headers, new, now=at + 900, tolerance=900)
    for late in (-301, 301):
        with pytest.raises(payment_engine.WebhookVerificationError):
            verify_webhook(received.body, received.headers, new, now=at + late)


VERIFIERS = {
    "npm": "const { Webhook } = require(process.env.PUBLISHED); const check = (b, h, s) => new Webhook(s).verify(b, h);",
    "sdk": "const PaymentEngine = require('@payment-engine/sdk'); const check = PaymentEngine.verifyWebhook;",
    "snippet": SNIPPETS["JavaScript: webhook signature"]
    + "const check = (b, h, s) => { if (!verifyWebhookSignature(b, h['x-webhook-signature'], s)) throw 0; return JSON.parse(b); };",
}


def javascript_verdicts(
    folder: Path, verifier: str, cases: Mapping[str, tuple[bytes, dict[str, str]]], secret: str
) -> dict[str, str]:
    """The event type that the verifier read in each case, or "refused"."""
    source = (
        VERIFIERS[verifier]
        + """
      const { secret, cases } = JSON.parse(process.env.CASES);
      const verdict = ([body, headers]) => { try { return check(body, headers, secret).eventType; } catch { return 'refused'; } };
      console.log(JSON.stringify(Object.fromEntries(Object.entries(cases).map(([name, given]) => [name, verdict(given)]))));
    """
    )
    given = {name: (body.decode(), headers) for name, (body, headers) in cases.items()}
    published = str(SDK / "javascript/node_modules/standardwebhooks")
    printed = run_node(folder, source, CASES=json.dumps({"secret": secret, "cases": given}), PUBLISHED=published)
    verdicts: dict[str, str] = json.loads(printed)
    return verdicts


@needs_node
@pytest.mark.parametrize("verifier", [pytest.param("npm", marks=needs_node_modules), "sdk"])
def test_javascript_verifiers(sent, tmp_path, verifier):
    received, new, old = sent
    as_sent = (received.body, received.headers)
    changed = altered(received)

    assert javascript_verdicts(tmp_path, verifier, {"sent": as_sent} | changed, new) == {
        "sent": "transaction.created"
    } | dict.fromkeys(changed, "refused")
    assert javascript_verdicts(tmp_path, verifier, {"sent": as_sent}, old) == {"sent": "transaction.created"}
    assert javascript_verdicts(tmp_path, verifier, {"sent": as_sent}, new_secret()) == {"sent": "refused"}


@needs_node
def test_javascript_snippet(sent, tmp_path):
    received, new, _ = sent
    cases = {"sent": (received.body, received.headers), "space": (received.body + b" ", received.headers)}

    assert javascript_verdicts(tmp_path, "snippet", cases, new) == {"sent": "transaction.created", "space": "refused"}


def test_python_snippet(sent):
    received, new, _ = sent
    names: dict[str, Callable[..., bool]] = {}
    exec(SNIPPETS["Python: webhook signature"], names)

    signature = received.headers["x-webhook-signature"]
    assert names["verify_webhook_signature"](received.body.decode(), signature, new)
    assert not names["verify_webhook_signature"](received.body.decode() + " ", signature, new)


def test_days_of_retries_keep_their_id_and_get_a_new_time():
    """A tolerance of minutes can hold, because each attempt is signed when it is sent."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with receiver() as shop:
        to, secret = endpoint(shop.url)
        delivery(to)
        shop.answer = lambda exchange: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        send_all(Clock(start))
        send_all(Clock(start + timedelta(hours=1)))

    first, second = shop.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    verify_webhook(second.body, second.headers, secret)
    with pytest.raises(payment_engine.WebhookVerificationError):
        verify_webhook(first.body, first.headers, secret)
