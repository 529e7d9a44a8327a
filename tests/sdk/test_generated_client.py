"""A client that is generated from the served schema: its types compile, and a program written against them makes a payment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from payments.models import Transaction
from tests.sdk.given import NODE, SDK, needs_node, run_node

MODULES = SDK / "javascript/node_modules"
needs_generator = pytest.mark.skipif(
    not (MODULES / "openapi-typescript").is_dir(), reason="no `npm ci` was run in sdk/javascript"
)

PROGRAM = """
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Status = components['schemas']['TransactionOut']['status'];

const client = createClient<paths>({
  baseUrl: process.env.URL,
  headers: { 'X-API-Key': process.env.KEY },
  querySerializer: { array: { style: 'form', explode: false } }, // lists by commas, as the schema says
});

const made = await client.POST('/api/v1/transactions', {
  params: { header: { 'Idempotency-Key': 'generated-1' } },
  body: { paymentTypeId: 'migs', amount: 42.5, currencyCode: 'MYR', externalReference: 'GEN-1', metadata: { cart: 7 } },
});
if (made.error) throw new Error(made.error.error.message);

const read = await client.GET('/api/v1/transactions/{transaction_id}', {
  params: { path: { transaction_id: made.data.id } },
});
const status: Status | undefined = read.data?.status;
const amount: number | undefined = read.data?.amount;

const listed = await client.GET('/api/v1/transactions', { params: { query: { status: ['PENDING', 'COMPLETED'], limit: 10 } } });
const found = typeof listed.data === 'object' ? listed.data.data.length : 0; // it could be CSV
const refused = await client.POST('/api/v1/transactions/{transaction_id}/refunds', {
  params: { path: { transaction_id: made.data.id }, header: { 'Idempotency-Key': 'generated-2' } },
  body: { reason: 'too early' },
});
const code: string | undefined = refused.error?.error.code;

console.log(JSON.stringify({ id: made.data.id, status, amount, next: read.data?.nextAction?.url, found, code }));

type Webhook = components['schemas']['TransactionCompletedEvent'];
export const paid = (event: Webhook): number => event.data.amountCaptured;
// @ts-expect-error the reason is missing
client.POST('/api/v1/transactions/{transaction_id}/refunds', { params: { path: { transaction_id: 't' } }, body: {} });
// @ts-expect-error there is no such field
export const unknown: components['schemas']['TransactionIn'] = { paymentTypeId: 'migs', amount: 1, amont: 2 };
// @ts-expect-error there is no such route
void (() => client.GET('/api/v1/payments'));
"""
# What must compile and must not run: the calls below stand for mistakes that the compiler finds.
RUN = PROGRAM.partition("type Webhook")[0]
COMPILER = [
    "--strict", "--noEmit", "--skipLibCheck", "--module", "node16", "--target", "es2022", "--lib", "es2022,dom",
]  # fmt: skip
EMITTING = [option for option in COMPILER if option != "--noEmit"]


def node(folder: Path, script: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(NODE), str(script), *arguments], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
@needs_generator
@pytest.mark.django_db(transaction=True)
def test_a_generated_client_compiles_and_pays(shop: Any, tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    for name in ("openapi-fetch", "openapi-typescript-helpers"):
        (tmp_path / "node_modules" / name).symlink_to(MODULES / name)
    (tmp_path / "env.d.ts").write_text("declare const process: { env: { URL: string; KEY: string } };\n")
    (tmp_path / "program.mts").write_text(PROGRAM)
    (tmp_path / "run.mts").write_text(RUN)
    generator = MODULES / "openapi-typescript/bin/cli.js"
    compiler = MODULES / "typescript/bin/tsc"

    node(tmp_path, generator, f"{shop.base_url}/api/schema/?format=json", "--output", "schema.d.ts")
    node(tmp_path, compiler, *COMPILER, "env.d.ts", "schema.d.ts", "program.mts")
    node(tmp_path, compiler, *EMITTING, "env.d.ts", "schema.d.ts", "run.mts")
    done = json.loads(
        run_node(tmp_path, (tmp_path / "run.mjs").read_text(), suffix=".mjs", URL=shop.base_url, KEY=shop.api_key)
    )

    transaction = Transaction.objects.get()
    assert (done["id"], transaction.amount_minor, transaction.external_reference) == (transaction.pk, 4_250, "GEN-1")
    assert (done["status"], done["amount"], done["found"], done["code"]) == ("PENDING", 42.5, 1, "INVALID_STATE")
    assert done["next"].startswith(shop.sandbox_url)
