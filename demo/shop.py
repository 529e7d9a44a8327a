"""A merchant's server, as its developer would write it: signs EPS messages, calls the API, takes webhooks in."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from payments.facades.eps.checksum import REQUEST, Secrets, checksum


class Shop:
    """One merchant of demo.json, talking to Counterfoil over HTTP only. Safe for several threads."""

    def __init__(self, merchant: dict[str, Any], *, base_url: str, sandbox_url: str) -> None:
        self.code: str = merchant["merchant_code"]
        self.secrets = Secrets(merchant["checksum_scheme"], merchant["pass_phrase"], merchant["api_key"])
        self.extra_fields: dict[str, str] = merchant["extra_fields"]
        self._base_url, self._sandbox_url = base_url, sandbox_url
        self._headers = {"X-API-Key": merchant["api_key"]}
        self._local = threading.local()

    def pay_by_eps(self, *, reference: str, amount: str, mode: str) -> dict[str, Any]:
        """POST /eps/request. Returns the answer's fields."""
        fields = {
            "TRANS_ID": reference,
            "AMOUNT": amount,
            "MERCHANT_CODE": self.code,
            "PAYMENT_MODE": mode,
            **self.extra_fields,
        }
        if self.secrets.scheme == "epic-v2":
            fields["TIMESTAMP"] = str(int(time.time()))
        fields["CHECKSUM"] = checksum(fields, self.secrets, joined=REQUEST)
        response = self._http().post(f"{self._base_url}/eps/request", data=fields, timeout=30)
        answer: dict[str, Any] = response.json()
        return answer

    def pay_by_api(self, *, reference: str, amount: str, method: str, **more: Any) -> dict[str, Any]:
        """POST /api/v1/transactions under an Idempotency-Key. Returns the transaction."""
        body = {
            "paymentTypeId": method,
            "amount": amount,
            "currencyCode": "MYR",
            "externalReference": reference,
            "description": f"Order {reference}",
            **more,
        }
        return self._api("POST", "/transactions", body, key=f"order-{reference}")

    def choose_on_page(self, *, reference: str, amount: str, method: str) -> dict[str, Any]:
        """Leave the choice to the payer, who takes a bank; for "migs" one that declines, and then a card. Returns where that leads."""
        body = {"amount": amount, "externalReference": reference, "returnUrl": f"{self._base_url}/"}
        page: str = self._api("POST", "/transactions", body, key=f"order-{reference}")["nextAction"]["url"]
        bank = self._chosen(page, method="fpx", bank="TEST0001" if method == "fpx" else "TEST0002")
        if method == "fpx":
            return bank
        self.send_payer(bank, "approve")
        return self._chosen(page, method=method)

    def _chosen(self, page: str, **fields: str) -> dict[str, Any]:
        """What the payer presses on our page, and the address that it answers with."""
        response = self._http().post(page, data=fields, timeout=30, allow_redirects=False)
        response.raise_for_status()
        return {"type": "redirect", "method": "GET", "url": urljoin(page, response.headers["Location"]), "fields": {}}

    def refund(self, transaction_id: str, *, amount: str | None, reason: str) -> dict[str, Any]:
        body = {"reason": reason} | ({"amount": amount} if amount else {})
        return self._api("POST", f"/transactions/{transaction_id}/refunds", body, key=f"refund-{transaction_id}")

    def refund_status(self, refund_id: str) -> str:
        status: str = self._api("GET", f"/refunds/{refund_id}", {})["status"]
        return status

    def transactions(self, **filters: str) -> list[dict[str, Any]]:
        """All pages of GET /api/v1/transactions."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._api(
                "GET", "/transactions", {**filters, "limit": "100", **({"cursor": cursor} if cursor else {})}
            )
            found += page["data"]
            cursor = page["nextCursor"]
            if cursor is None:
                return found

    def send_payer(self, action: dict[str, Any], decision: str) -> dict[str, Any]:
        """Let the sandbox's payer do what the action says."""
        body = {"nextAction": action, "decision": decision}
        answer: dict[str, Any] = self._http().post(f"{self._sandbox_url}/_payer", json=body, timeout=60).json()
        return answer

    def _api(self, method: str, path: str, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        response = self._http().request(
            method,
            f"{self._base_url}/api/v1{path}",
            headers=self._headers | ({"Idempotency-Key": key} if key else {}),
            timeout=30,
            **({"params": body} if method == "GET" else {"json": body}),
        )
        answer: dict[str, Any] = response.json(parse_float=Decimal)
        return answer

    def _http(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # the sender opens many connections at once; beyond the queue some are reset
    daemon_threads = True


class WebhookListener:
    """Receives every demo merchant's webhooks on one port and checks both signatures' standard half."""

    def __init__(self, secrets: dict[str, str], *, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.refused = 0
        self.seen: set[str] = set()
        listener, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                secret = secrets.get(urlsplit(self.path).path.rsplit("/", 1)[-1], "")
                try:
                    Webhook(secret).verify(body, {name.lower(): value for name, value in self.headers.items()})
                except (WebhookVerificationError, ValueError):
                    listener.refused += 1
                    return self._answer(401)
                event = json.loads(body)
                with lock:
                    if event["eventId"] not in listener.seen:
                        listener.seen.add(event["eventId"])
                        listener.counts[event["eventType"]] += 1
                return self._answer(200)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
