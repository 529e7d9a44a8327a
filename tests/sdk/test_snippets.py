"""The integration guide's snippets (snippets.md) run as they stand, save for the base URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from payments.models import Account, Transaction
from tests.factories import new_account
from tests.sdk.given import SDK, SNIPPETS, Shop, needs_node, run_node

ACCOUNTS = {"acc_123": 500_000, "acc_456": 0, "test_acc_001": 100_000, "test_acc_002": 0, "test_acc_empty": 0}

REQUIRE = "const PaymentEngine = require('@payment-engine/sdk');\n"
# What the snippets take for granted: their own helpers, and of a test runner the little that they use.
JAVASCRIPT_AROUND = """
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const tests = [];
const expectations = [];
const describe = (_, body) => body();
const it = (name, body) => tests.push(body);
const fail = (message) => { throw new Error(message); };
const expect = (found) => ({ toBe: (wanted) => expectations.push([found, wanted]) });
const storeTransactionReference = async () => {};
const report = (promise) => promise.then((value) => process.stdout.write('\\n' + JSON.stringify(value)));
"""


@pytest.fixture
def bank(shop: Shop) -> Shop:
    """The shop with the accounts that the snippets name, in dollars."""
    for account_id, minor in ACCOUNTS.items():
        new_account(shop.merchant, minor, account_id=account_id)
    return shop


def balance(account_id: str) -> int:
    return Account.objects.get(pk=account_id).available.minor


def javascript(folder: Path, shop: Shop, *names: str, then: str) -> Any:
    """Run snippets one after the other; what `then` reported, and all that was printed."""
    source = JAVASCRIPT_AROUND + "\n".join(SNIPPETS[f"JavaScript: {name}"] for name in names)
    if REQUIRE not in source:
        source = REQUIRE + source
    source = source.replace("https://api.payment-engine.com", shop.base_url) + f"\nreport({then});\n"
    printed = run_node(folder, source, PAYMENT_ENGINE_API_KEY=shop.api_key)
    said, _, value = printed.rpartition("\n")
    return json.loads(value), said.strip()


@pytest.mark.django_db(transaction=True)
def test_python_basic_usage(bank):
    source = "import os\n" + SNIPPETS["Python: basic usage"].replace("https://api.payment-engine.com", bank.base_url)
    source += "\nstatus = check_payment_status(create_payment().id)\nprint(status.status)\n"
    environment = os.environ | {"PAYMENT_ENGINE_API_KEY": bank.api_key, "PYTHONPATH": str(SDK / "python")}

    done = subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    made = Transaction.objects.get()
    assert done.stdout == f"Transaction created: {made.pk}\nCOMPLETED\n", done.stderr
    assert made.metadata == {"invoice_id": "INV-001", "customer_id": "CUST-123"}
    assert (made.method, balance("acc_123"), balance("acc_456")) == ("wire_domestic", 400_000, 100_000)


@needs_node
@pytest.mark.django_db(transaction=True)
def test_javascript_basic_usage(bank, tmp_path):
    status, said = javascript(
        tmp_path, bank, "basic usage", then="createPayment().then((made) => checkPaymentStatus(made.id))"
    )

    made = Transaction.objects.get()
    assert said == f"Transaction created: {made.pk}"
    assert (status["id"], status["status"]) == (made.pk, "COMPLETED")
    assert made.metadata == {"invoiceId": "INV-001", "customerId": "CUST-123"}
    assert (balance("acc_123"), balance("acc_456")) == (400_000, 100_000)


@needs_node
@pytest.mark.django_db(transaction=True)
def test_javascript_advanced_configuration(bank, tmp_path):
    balance_found, said = javascript(
        tmp_path, bank, "advanced configuration", then="client.accounts.getBalance('acc_123')"
    )

    assert (balance_found["availableBalance"], balance_found["currencyCode"]) == (5000, "USD")
    assert said.splitlines() == [
        f"Making request: GET {bank.base_url}/api/v1/accounts/acc_123/balance",
        "Received response: 200",
    ]


@needs_node
@pytest.mark.django_db(transaction=True)
def test_javascript_integration_patterns(bank, tmp_path):
    names = ("basic usage", "synchronous payment", "asynchronous payment", "balance check", "polling")
    (now, later, funds, followed), _ = javascript(
        tmp_path,
        bank,
        *names,
        then="""(async () => {
          const paymentClient = globalThis.paymentClient = client;
          const data = { fromAccount: 'acc_123', toAccount: 'acc_456', amount: 10.25, description: 'Rent', orderId: 'ORD-1' };
          const now = await processPayment(data);
          const later = await submitPaymentForProcessing(data);
          return [now, later, await checkAccountBalance('acc_123', 4979.51), await pollTransactionStatus(now.transactionId)];
        })()""",
    )

    assert now["success"] is True
    assert later["submitted"] is True
    assert Transaction.objects.get(pk=later["transactionId"]).status == "PENDING"  # until its batch runs
    assert funds == {"hasSufficientFunds": False, "availableBalance": 4979.5, "currency": "USD"}
    assert (followed["success"], followed["transaction"]["status"]) == (True, "COMPLETED")


@needs_node
@pytest.mark.django_db(transaction=True)
def test_javascript_test_scenarios(bank, tmp_path):
    """One expectation of theirs is not ours: a real-time transfer is not PENDING first, it is complete in the answer."""
    expectations, _ = javascript(
        tmp_path,
        bank,
        "basic usage",
        "successful payment flow",
        "insufficient funds",
        then="tests.reduce((done, test) => done.then(test), Promise.resolve()).then(() => expectations)",
    )

    assert expectations == [
        ["COMPLETED", "PENDING"],
        ["COMPLETED", "COMPLETED"],
        ["INSUFFICIENT_FUNDS", "INSUFFICIENT_FUNDS"],
        [422, 422],
    ]
    assert (balance("test_acc_001"), balance("test_acc_002"), balance("test_acc_empty")) == (90_000, 10_000, 0)


@needs_node
@pytest.mark.django_db(transaction=True)
def test_javascript_order_payment(bank, tmp_path):
    paid, said = javascript(
        tmp_path,
        bank,
        "basic usage",
        "order payment",
        then="""(() => {
          class Orders extends PaymentProcessor { async updateOrderStatus(...of) { console.log(of[1]); } }
          const items = [{ id: 'SKU-1', name: 'Kopi', price: 12.50, quantity: 2 }];
          const order = { id: 'ORD-7', customerId: 'CUST-1', items, total: 25.00, currency: 'USD', paymentMethod: 'rtp',
                          paymentAccount: 'acc_123', merchantAccount: 'acc_456' };
          return new Orders(client).processOrderPayment(order);
        })()""",
    )

    made = Transaction.objects.get()
    assert paid == {"success": True, "transactionId": made.pk, "status": "COMPLETED"}
    assert said == "payment_processing"
    assert (made.external_reference, made.amount_minor) == ("ORD-7", 2_500)
    assert made.metadata["items"] == [{"id": "SKU-1", "name": "Kopi", "price": 12.5, "quantity": 2}]
