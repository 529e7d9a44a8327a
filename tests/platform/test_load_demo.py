"""Loading the demo dies half-way: loading again goes on from there, and what demo.json says is true."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User

from demo.cast import OPERATORS
from demo.load import demo_file, load_demo
from merchants.models import ApiKey, Merchant, MerchantUser, ProviderAccount
from merchants.roles import ROLES
from notifications.models import WebhookEndpoint
from payments.models import Account, Bank
from reconciliation.models import PayoutBank, SettlementTerms
from tests.support.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)


class Way(ThreadingHTTPServer):
    """The way to the sandbox, which breaks after `left` openings of an account."""

    left = 0
    sandbox_url = ""


class _Hop(BaseHTTPRequestHandler):
    server: Way

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/_accounts/"):
            self.server.left -= 1
            if self.server.left < 0:
                return  # hangs up
        kind = {"Content-Type": self.headers["Content-Type"]}
        reply = requests.post(f"{self.server.sandbox_url}{self.path}", data=body, headers=kind, timeout=30)
        self.send_response(reply.status_code)
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def way_to(sandbox: SandboxProcess) -> Iterator[Way]:
    with Way(("127.0.0.1", 0), _Hop) as server:
        server.sandbox_url = sandbox.url
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def complete(demo: dict[str, Any]) -> None:
    """Everything is there once, and every secret of demo.json is the one that works."""
    assert json.loads(demo_file().read_text()) == demo
    assert (Merchant.objects.count(), ProviderAccount.objects.count()) == (5, 15)
    assert (ApiKey.objects.count(), WebhookEndpoint.objects.count(), MerchantUser.objects.count()) == (5, 5, 5)
    assert (Account.objects.count(), SettlementTerms.objects.count(), PayoutBank.objects.count()) == (5, 5, 1)
    assert Bank.objects.filter(online=True).exists()
    for entry in demo["merchants"]:
        merchant = Merchant.objects.get(code=entry["merchant_code"])
        modes = sorted(account.config.get("mode", "") for account in merchant.provider_accounts.all())
        assert modes == ["", "authorise", "purchase"]
        key = ApiKey.objects.get(merchant=merchant)
        assert bytes(key.secret_hash) == hashlib.sha256(entry["api_key"].encode()).digest()
        assert (merchant.eps_api_key, merchant.pass_phrase) == (entry["api_key"], entry["pass_phrase"])
        assert WebhookEndpoint.objects.get(merchant=merchant).current_secret == entry["webhook_secret"]
        user = MerchantUser.objects.get(merchant=merchant)
        assert (user.username, check_password(entry["password"], user.password)) == (entry["username"], True)
    assert User.objects.count() == len(demo["operators"]) == len(OPERATORS)
    for operator in demo["operators"]:
        assert User.objects.get(username=operator["username"]).check_password(operator["password"])


def test_what_died_half_way_is_finished(sandbox: SandboxProcess, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    with way_to(sandbox) as way:
        settings.SANDBOX_URL = f"http://127.0.0.1:{way.server_port}"
        for openings, merchants in (
            (0, 1),
            (4, 2),
            (3, 3),
        ):  # how many it opens before it dies; how many merchants have begun by then
            way.left = openings
            with pytest.raises(requests.ConnectionError):
                load_demo()
            assert (Merchant.objects.count(), demo_file().exists()) == (merchants, False)
        way.left = 8  # of the fifteen
        demo = load_demo()
        complete(demo)
        assert way.left == 0

        assert load_demo()["merchants"] == demo["merchants"]  # nothing is made anew
        demo_file().unlink()  # it died before it said what it had made
        again = load_demo()
        assert way.left == 0

    complete(again)
    kept = ("merchant_code", "api_key", "pass_phrase", "webhook_secret", "accounts")
    assert [[entry[name] for name in kept] for entry in again["merchants"]] == [
        [entry[name] for name in kept] for entry in demo["merchants"]
    ]


def test_every_role_has_one_operator_and_the_first_is_the_superuser() -> None:
    assert next(iter(OPERATORS.values())) == "superuser"
    assert sorted(OPERATORS.values()) == sorted(["superuser", *ROLES])
