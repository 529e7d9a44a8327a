"""The JavaScript SDK against a running Counterfoil: both kinds of modules, exact amounts, errors, lists."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from payments.models import Transaction
from tests.sdk.given import SDK, needs_node, needs_node_modules, run_node
from tests.sdk.scripted import Answer, scripted

AS_MODULE = """
import PaymentEngine, { PaymentEngineError } from '@payment-engine/sdk';
const client = new PaymentEngine({ apiKey: process.env.KEY, baseUrl: process.env.URL });
const created = await client.transactions.create({
  paymentTypeId: 'migs', amount: 100.50, currencyCode: 'MYR', externalReference: 'INV-1', metadata: { amount: 1.5, big: 12 },
}, { idempotencyKey: 'order-1' });
const again = await client.transactions.create({
  paymentTypeId: 'migs', amount: 100.50, currencyCode: 'MYR', externalReference: 'INV-1', metadata: { amount: 1.5, big: 12 },
}, { idempotencyKey: 'order-1' });
for (const reference of ['INV-2', 'INV-3']) {
  await client.transactions.create({ paymentTypeId: 'fpx', amount: '7.10', currencyCode: 'MYR', externalReference: reference });
}
const listed = [];
for await (const one of client.transactions.list({ limit: 1, status: ['PENDING'], createdFrom: new Date(Date.now() - 3600000) })) {
  listed.push(one.externalReference);
}
const error = await client.transactions.getStatus('txn_1/?').catch((failed) => failed);
const cancelled = await client.transactions.cancel(created.id);
console.log(JSON.stringify({
  created, same: created.id === again.id, listed, cancelled: cancelled.status,
  error: { isOurs: error instanceof PaymentEngineError, code: error.code, status: error.status, requestId: error.requestId },
}));
"""


@needs_node
@pytest.mark.django_db(transaction=True)
def test_a_merchant_in_javascript(shop, tmp_path):
    done: dict[str, Any] = json.loads(run_node(tmp_path, AS_MODULE, suffix=".mjs", KEY=shop.api_key, URL=shop.base_url))

    assert (done["created"]["amount"], done["created"]["metadata"]) == (100.5, {"amount": 1.5, "big": 12})
    assert done["created"]["nextAction"]["type"] == "redirect"
    assert done["same"] is True
    assert done["listed"] == ["INV-3", "INV-2", "INV-1"]
    assert done["cancelled"] == "CANCELLED"
    assert done["error"].pop("requestId").startswith("req_")
    assert done["error"] == {"isOurs": True, "code": "NOT_FOUND", "status": 404}
    assert Transaction.objects.count() == 3


AMOUNTS = """
const PaymentEngine = require('@payment-engine/sdk');
const client = (amounts) => new PaymentEngine({ apiKey: 'k', baseUrl: process.env.URL, amounts });
const refused = [0.1 + 0.2, 99999999999999.99, NaN, 1e21, 0, '1e2', ''];
(async () => {
  const codes = [];
  for (const amount of refused) {
    await client().transactions.create({ paymentTypeId: 'fpx', amount }).catch((error) => codes.push(error.name));
  }
  const asText = await client('string').accounts.getBalance('acc_1');
  const asNumber = await client().accounts.getBalance('acc_1').catch((error) => error.code);
  console.log(JSON.stringify({ codes, asText, asNumber }));
})();
"""


@needs_node
def test_javascript_amounts_are_exact_or_refused(tmp_path):
    balance = (
        '{"accountId": "acc_1", "availableBalance": 99999999999999.99, "pendingBalance": 0.10, "currencyCode": "USD",'
        ' "note": "\\"availableBalance\\": 1.50", "metadata": {"amount": 2.50}, "asOf": "2026-03-02T04:00:00Z"}'
    )
    with scripted(Answer(200, balance), Answer(200, balance)) as server:
        done = json.loads(run_node(tmp_path, AMOUNTS, URL=server.url))

    assert done["codes"] == ["TypeError"] * 7
    assert [asked.method for asked in server.asked] == ["GET", "GET"]
    assert done["asText"] == json.loads(balance) | {"availableBalance": "99999999999999.99", "pendingBalance": "0.10"}
    assert done["asNumber"] == "AMOUNT_NOT_EXACT"


TYPED = {
    "module.mts": """
import PaymentEngine, { PaymentEngineError, verifyWebhook } from '@payment-engine/sdk';
const client = new PaymentEngine({ apiKey: 'k', baseUrl: 'https://pay.example', onRequest: (config) => config.method.trim() });
const amount: number = (await client.transactions.create({ paymentTypeId: 'fpx', amount: 100.5 })).amountCaptured;
const exact = new PaymentEngine<string>({ apiKey: 'k', baseUrl: 'https://pay.example', amounts: 'string' });
const text: string = (await exact.accounts.getBalance('acc_1')).availableBalance;
for await (const refund of client.transactions.refunds('txn_1')) refund.reason.trim();
const event = verifyWebhook('{}', { 'webhook-id': 'evt_1' }, 'whsec_');
const outcome = (error: unknown) => (error instanceof PaymentEngineError ? error.code : text + amount + event.data.amount);
export default outcome;
// @ts-expect-error there is no such field
client.transactions.create({ paymentTypeId: 'fpx', amount: 1, amont: 2 });
// @ts-expect-error a reason is required
client.transactions.refund('txn_1', {});
""",
    "common.cts": """
import PaymentEngine = require('@payment-engine/sdk');
const client = new PaymentEngine({ apiKey: 'k', baseUrl: 'https://pay.example' });
client.accounts.getBalance('acc_1').then((balance) => balance.availableBalance >= 3);
const valid: boolean = PaymentEngine.verifyWebhookSignature('{}', undefined, 'whsec_');
export = valid;
""",
}


@needs_node
@needs_node_modules
def test_typescript_declarations(tmp_path):
    (tmp_path / "node_modules/@payment-engine").mkdir(parents=True)
    (tmp_path / "node_modules/@payment-engine/sdk").symlink_to(SDK / "javascript")
    for name, source in TYPED.items():
        (tmp_path / name).write_text(source)
    compiler = SDK / "javascript/node_modules/typescript/bin/tsc"
    options = ["--noEmit", "--strict", "--module", "node16", "--target", "es2022", "--lib", "es2022"]

    done = subprocess.run(
        ["node", str(compiler), *options, *TYPED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")
