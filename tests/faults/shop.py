"""A merchant of the fault tests: sells over both doors, sends payers, and repeats every request that got no answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from django.utils import timezone

from common.changes import Actor
from common.ids import new_id
from demo.onboarding import open_fpx, open_migs
from merchants.models import Merchant
from merchants.models.merchant import ChecksumScheme, RatePlan
from merchants.scopes import Scope
from merchants.services.api_keys import api_key_create
from notifications.services.endpoints import endpoint_create
from payments.facades.eps.checksum import REQUEST, Secrets, checksum
from tests.notifications.receiver import Receiver

ACTOR = Actor("system:fault-tests")
_PASS_PHRASE = "a pass phrase of the fault tests"
_AGAIN = frozenset({409, 429, 503})  # "try again": nothing was executed, or it is being executed
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    replayed: bool = False

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


@dataclass(frozen=True, slots=True)
class Order:
    """A payment that Counterfoil has accepted."""

    reference: str
    action: Mapping[str, Any]


class Shop:
    """`create`, `refund` and `send_payer` are safe in several threads. `answers` holds what each Idempotency-Key was answered."""

    def __init__(self, *, base_url: str, sandbox_url: str, sink: Receiver) -> None:
        self.base_url, self.sandbox_url, self.sink = base_url, sandbox_url, sink
        self.merchant = Merchant(
            id=new_id("mer"),
            code=f"SHOP{new_id('x')[-12:].upper()}",
            name="Fault Shop",
            contact_email="owner@shop.example",
            checksum_scheme=ChecksumScheme.EPIC_V2,
            rate_plan=RatePlan.DEMO,
            created_at=timezone.now(),
        )
        self.merchant.seal_secrets(eps_api_key="", pass_phrase=_PASS_PHRASE)
        self.merchant.save()
        open_fpx(self.merchant, sandbox_url=sandbox_url, base_url=base_url)
        open_migs(self.merchant, sandbox_url=sandbox_url, base_url=base_url, mode="purchase")
        _, self._api_key = api_key_create(
            merchant_id=self.merchant.pk, live=False, name="shop", scopes=list(Scope), actor=ACTOR, now=timezone.now()
        )
        self.sink_path = f"/{self.merchant.code}"
        _, self.webhook_secret = endpoint_create(
            merchant_id=self.merchant.pk,
            live=False,
            url=f"http://127.0.0.1:{sink.port}{self.sink_path}",
            actor=ACTOR,
            now=timezone.now(),
        )
        self.answers: dict[str, tuple[str, dict[str, Any], Answer]] = {}
        self.unexpected: list[Answer] = []
        self._lock = threading.Lock()

    # -- buying ------------------------------------------------------------------------------------------------------------
    def create(self, *, door: str, method: str, amount: str, reference: str) -> Order:
        """Ask for a payment over "api" or "eps", again and again until there is an answer."""
        if door == "eps":
            answer = self._until_answered(lambda: self._eps("request", self._eps_request(method, amount, reference)))
            page = answer.json["REDIRECT_URL"]
            return Order(reference, {"type": "redirect", "method": "GET", "url": page, "fields": {}})
        body = {
            "paymentTypeId": method,
            "amount": amount,
            "currencyCode": "MYR",
            "externalReference": reference,
        }
        return Order(reference, self.post("/transactions", body, key=f"order-{reference}").json["nextAction"])

    def refund(self, transaction_id: str, *, amount: str) -> str:
        """Returns the refund's id."""
        body = {"amount": amount, "reason": "returned"}
        path = f"/transactions/{transaction_id}/refunds"
        refund_id: str = self.post(path, body, key=f"refund-{transaction_id}").json["id"]
        return refund_id

    def send_payer(self, order: Order, decision: str = "approve") -> int:
        """Let the sandbox's payer do what a browser does. Returns the HTTP status of the last page, 0 if nobody answered."""
        body = {"nextAction": dict(order.action), "decision": decision}
        status: int = requests.post(f"{self.sandbox_url}/_payer", json=body, timeout=90).json()["status"]
        return status

    # -- asking ------------------------------------------------------------------------------------------------------------
    def post(self, path: str, body: dict[str, Any], *, key: str) -> Answer:
        """A POST under an Idempotency-Key; its answer is kept for later comparison."""
        answer = self.ask(path, body, key=key)
        with self._lock:
            self.answers[key] = (path, body, answer)
        return answer

    def ask(self, path: str, body: dict[str, Any], *, key: str) -> Answer:
        """The same request again and again until it is answered."""
        return self._until_answered(lambda: self._api(path, body, key))

    def _api(self, path: str, body: dict[str, Any], key: str) -> Answer:
        response = requests.post(
            f"{self.base_url}/api/v1{path}",
            json=body,
            headers={"X-API-Key": self._api_key, "Idempotency-Key": key},
            timeout=10,
        )
        return Answer(response.status_code, response.content, "Idempotent-Replayed" in response.headers)

    def _until_answered(self, send: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = send()
            except requests.RequestException:
                self.on_silence()
                continue
            if answer.status in (200, 201):
                return answer
            if answer.status not in _AGAIN:
                self.unexpected.append(answer)
            self.on_silence()
        raise AssertionError(f"no answer within {_PATIENCE_SECONDS} s")

    def repeat(self, reached: Callable[[], bool], what: str) -> None:
        """Try until it works out, for a while."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not reached():
            assert time.monotonic() < deadline, f"not within {_PATIENCE_SECONDS} s: {what}"
            self.on_silence()

    def on_silence(self) -> None:
        """Called before anything is tried again."""
        time.sleep(0.05)

    def _eps(self, route: str, fields: Mapping[str, str]) -> Answer:
        response = requests.post(f"{self.base_url}/eps/{route}", data=fields, timeout=10)
        return Answer(response.status_code, response.content)

    def _eps_request(self, method: str, amount: str, reference: str) -> dict[str, str]:
        fields = {
            "TRANS_ID": reference,
            "AMOUNT": amount,
            "MERCHANT_CODE": self.merchant.code,
            "PAYMENT_MODE": method,
            "TIMESTAMP": str(int(time.time())),
        }
        return fields | {"CHECKSUM": checksum(fields, Secrets(ChecksumScheme.EPIC_V2, _PASS_PHRASE), joined=REQUEST)}
