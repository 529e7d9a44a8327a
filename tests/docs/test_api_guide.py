"""docs/api.md: its examples run as they are printed, on a running system with the provider sandbox."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from payment_engine import CreateTransactionRequest, PaymentEngineClient

from payments.models import Refund, Transaction
from tests.factories import new_account
from tests.sdk.given import Shop, needs_node, run_node

GUIDE = (Path(__file__).parents[2] / "docs/api.md").read_text()
pytestmark = pytest.mark.django_db(transaction=True)
needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")


def examples(language: str, heading: str | None = None) -> list[str]:
    """The examples in a language, all or those below a heading."""
    part = GUIDE if heading is None else GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


def shell(folder: Path, shop: Shop, heading: str, **variables: str) -> str:
    """Run the shell example below a heading; what it printed."""
    (source,) = examples("sh", heading)
    known = {"BASE": shop.base_url, "KEY": shop.api_key, "SANDBOX": shop.sandbox_url, "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        env=os.environ | known | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_python_examples_one_after_the_other(shop, monkeypatch, capsys):
    monkeypatch.setitem(os.environ, "BASE", shop.base_url)
    monkeypatch.setitem(os.environ, "KEY", shop.api_key)
    names: dict[str, Any] = {}

    def run(heading: str) -> str:
        for source in examples("python", heading):
            exec(source, names)
        return capsys.readouterr().out

    started = run("A first payment")
    transaction = names["transaction"]
    assert started == f"{transaction.id} PENDING {transaction.next_action.url}\n"

    shop.send_payer(dataclasses.asdict(transaction.next_action))
    assert run("The payer goes and comes back") == "deliver INV-1002\n"
    assert names["page"].count('type="hidden"') == len(transaction.next_action.fields or {})

    run("Webhooks")
    assert names["webhook_secret"].startswith("whsec_")
    assert names["on_webhook"](b"{}", {}, set()) == 401

    assert re.fullmatch(r"400 INVALID_REQUEST \{'paymentTypeId': \[.*\]\} req_\w+\n", run("Errors"))

    names["paid_transaction_id"] = transaction.id
    assert run("Refunds") == f"{Refund.objects.get().pk} PENDING\n"

    for account_id, minor in (("acc_123", 10_000), ("acc_456", 0)):
        new_account(shop.merchant, minor, account_id=account_id)
    assert run("Accounts and book transfers") == "COMPLETED 100.00 75.00\n"

    pending = names["client"].transactions.create(CreateTransactionRequest("fpx", 7, "MYR"))
    assert run("Lists") == f"{pending.id} 7.00\n"
    shop.let_worker_run()
    assert names["client"].transactions.get_status(transaction.id).status == "PARTIALLY_REFUNDED"


@needs_curl
def test_shell_examples(shop, tmp_path):
    first = json.loads(shell(tmp_path, shop, "A first payment"))
    assert (first["status"], first["amount"], first["externalReference"]) == ("PENDING", 100.5, "INV-1001")

    assert "idempotent-replayed: true" in shell(tmp_path, shop, "Never paying twice").lower()

    tried = json.loads(shell(tmp_path, shop, "Trying it out"))
    assert (tried["status"], tried["externalReference"]) == ("COMPLETED", "TRY-1")

    shop.send_payer(first["nextAction"])
    refund = json.loads(shell(tmp_path, shop, "Refunds", PAID=first["id"]))
    assert (refund["transactionId"], refund["amount"]) == (first["id"], 10)

    client = PaymentEngineClient(api_key=shop.api_key, base_url=shop.base_url)
    for _ in range(4):
        client.transactions.create(CreateTransactionRequest("fpx", 7, "MYR"))
    pending = Transaction.objects.filter(status="PENDING").order_by("-created_at").values_list("id", flat=True)
    assert len(pending) == 5
    assert shell(tmp_path, shop, "Lists").split() == list(pending)


@needs_node
def test_javascript_examples(shop, tmp_path):
    source = "\n".join(examples("javascript"))
    source += "\npay().then(references).then((found) => console.log(JSON.stringify([found, typeof onWebhook])));"

    printed = run_node(tmp_path, source, BASE=shop.base_url, KEY=shop.api_key)

    assert json.loads(printed) == [["INV-1003"], "function"]


def test_json_example_is_what_is_answered(shop):
    answer = requests.post(
        f"{shop.base_url}/api/v1/transactions",
        json={"paymentTypeId": "fpx", "amount": 0, "currencyCode": "MYR"},
        headers={"X-API-Key": shop.api_key},
        timeout=10,
    ).json()["error"]
    (printed,) = (json.loads(example)["error"] for example in examples("json"))

    assert {name: answer[name] for name in ("code", "message", "details")} == {
        name: printed[name] for name in ("code", "message", "details")
    }
    assert answer.keys() == printed.keys()
