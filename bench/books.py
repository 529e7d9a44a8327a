"""The books of the generated month (bench/month.py): several merchants on terms of their own, and what each payment leaves in journal, outbox and audit log.

Written by SQL, a day at a time, as the services would have written it: tests/reconciliation/test_month.py compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

from bench.month import FIRST, PAYMENTS, PLAN, SHOPS, account_key

BEFORE = datetime.combine(FIRST - timedelta(days=30), time(), UTC)
NOON = datetime.combine(FIRST, time(4), UTC)  # in Kuala Lumpur
ZONES = ("Asia/Kuala_Lumpur", "Asia/Ho_Chi_Minh", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
# By merchant number, again after five: what they pay us, and (basis points, fixed) of their accounts where no plan says so.
PRICES: tuple[dict[str, Any], ...] = (
    {"account": (150, 20)},
    {"tiers": [(0, 200, 10), (50_000, 120, 0)]},
    {"tiers": [(0, 180, 0)], "minimum_minor": 100, "maximum_minor": 900},
    {"account": (0, 0)},
    {"tiers": [(0, 0, 75)]},
)
# By merchant number from the second on, again after six; the first and the last have terms of every day.
TERMS: tuple[dict[str, Any], ...] = (
    {"reserve_basis_points": 500, "reserve_days": 7},
    {"cycle": "WEEKLY", "weekday": 1, "cut_off": time(17)},
    {"cycle": "MONTHLY"},
    {"minimum_payout_minor": 500_000},
    {"only_proven": True, "pay_after_days": 2},
    {"reserve_basis_points": 1_000, "reserve_days": 90, "cut_off": time(20, 30)},
)

# One day: what became true, in facts and audit records, and what of it is booked. Ids begin with the time, as real ones do.
BOOKS = """
CREATE TEMPORARY TABLE today ON COMMIT DROP AS
SELECT p.*, to_char(at, 'YYMMDD') || lpad(k::text, 7, '0') AS key, at + interval '1 hour' AS later, 'merchant_payable:' || merchant_id || ':test:MYR' AS payable,
       'provider_receivable:' || account_id || ':test:MYR' AS receivable, percentage_minor + fixed_minor + limit_minor AS fee_minor,
       CASE refund_minor WHEN minor THEN 'REFUNDED' ELSE 'PARTIALLY_REFUNDED' END AS refunded,
       minor / 100 || '.' || lpad((minor %% 100)::text, 2, '0') AS money,
       refund_minor / 100 || '.' || lpad((refund_minor %% 100)::text, 2, '0') AS refund_money
FROM plan p WHERE at = %(at)s;
ANALYZE today;
CREATE TEMPORARY TABLE told ON COMMIT DROP AS
SELECT 'evt_' || t.key || x.step AS id, 'txn_' || t.n AS subject_id, t.merchant_id, x.sequence, x.at, x.name, x.actor, x.reason, x.changes,
       jsonb_build_object('transactionId', 'txn_' || t.n, 'transactionReference', t.reference, 'externalReference', NULL, 'status', x.status,
           'paymentTypeId', t.provider, 'amount', t.money, 'amountCaptured', x.captured, 'amountRefunded', x.given_back, 'currencyCode', 'MYR',
           'approvalCode', NULL, 'failureCode', NULL, 'failureReason', NULL)
       || CASE WHEN x.refund IS NULL THEN '{}' ELSE jsonb_build_object('refund', jsonb_build_object('id', 'rfd_' || t.n, 'status', x.refund,
           'amount', t.refund_money, 'reason', 'returned', 'failureReason', NULL)) END AS payload
FROM today t CROSS JOIN LATERAL (VALUES
    ('a', 1, at, 'transaction.created', 'merchant:month', '', '{"status": [null, "PENDING"]}', 'PENDING', '0.00', '0.00', NULL),
    ('b', 2, at, 'payment.captured', 'provider:' || provider, '', jsonb_build_object('status', '["PENDING", "COMPLETED"]'::jsonb,
        'payment_state', '["CREATED", "CAPTURED"]'::jsonb, 'amount_captured_minor', jsonb_build_array(0, minor)), 'COMPLETED', money, '0.00', NULL),
    ('w', 2, at, 'payment.processing', 'provider:' || provider, '',
        '{"status": ["PENDING", "PROCESSING"], "payment_state": ["CREATED", "PROCESSING"]}', 'PROCESSING', '0.00', '0.00', NULL),
    ('c', 3, later, 'refund.created', 'merchant:month', 'returned', jsonb_build_object('refund', jsonb_build_array(NULL, refund_money || ' MYR')),
        'COMPLETED', money, '0.00', 'PENDING'),
    ('d', 4, later, 'refund.completed', 'provider:' || provider, '', jsonb_build_object('status', jsonb_build_array('COMPLETED', refunded),
        'amount_refunded_minor', jsonb_build_array(0, refund_minor)), refunded, money, refund_money, 'SUCCEEDED')
) x (step, sequence, at, name, actor, reason, changes, status, captured, given_back, refund)
WHERE CASE x.step WHEN 'a' THEN true WHEN 'b' THEN kind IS DISTINCT FROM 5 WHEN 'w' THEN kind = 5 ELSE refund_minor > 0 END;

INSERT INTO fact (id, name, subject_type, subject_id, sequence, merchant_id, live, payload, request_id, created_at, published_at)
SELECT id, name, 'transaction', subject_id, sequence, merchant_id, false, payload, '', at, at FROM told ORDER BY at, id;
INSERT INTO audit_record (at, actor, action, subject_type, subject_id, version, merchant_id, reason, request_id, changes)
SELECT at, actor, name, 'transaction', subject_id, sequence, merchant_id, reason, '', changes FROM told ORDER BY at, id;
INSERT INTO journal_entry (id, fact_id, fact_name, transaction_id, booked_at)
SELECT replace(id, 'evt', 'jrn'), id, name, subject_id, at FROM told WHERE name IN ('payment.captured', 'refund.completed') ORDER BY at, id;
INSERT INTO posting (entry_id, account_id, currency, amount_minor)
SELECT 'jrn_' || key || step, account, 'MYR', amount FROM today CROSS JOIN LATERAL (VALUES
    (1, 'b', receivable, minor), (2, 'b', payable, -minor), (3, 'b', payable, fee_minor), (4, 'b', 'fee_income:house:test:MYR', -fee_minor),
    (5, 'd', payable, refund_minor), (6, 'd', receivable, -refund_minor)
) leg (number, step, account, amount)
WHERE amount <> 0 AND (step = 'd' OR kind IS DISTINCT FROM 5) ORDER BY step, key, number;
INSERT INTO fee_charge (entry_id, plan_id, amount_minor, percentage_minor, fixed_minor, limit_minor)
SELECT 'jrn_' || key || 'b', plan_id, minor, percentage_minor, fixed_minor, limit_minor FROM today WHERE fee_minor > 0 ORDER BY key;
"""

LEDGER_ACCOUNTS = """
INSERT INTO ledger_account (code, kind, currency, live, merchant_id, provider_account_id)
SELECT 'merchant_payable:' || merchant_id || ':test:MYR', 'merchant_payable', 'MYR', false, merchant_id, NULL FROM shop
UNION ALL SELECT 'provider_receivable:' || a || ':test:MYR', 'provider_receivable', 'MYR', false, NULL, a FROM shop CROSS JOIN LATERAL (VALUES (fpx), (migs)) x (a)
UNION ALL SELECT 'fee_income:house:test:MYR', 'fee_income', 'MYR', false, NULL, NULL
"""


def open_shops(merchants: int) -> None:
    """The merchants with their accounts, prices and terms; every second one is paid to its bank, the others but the first to an account with us."""
    from django.db import connection

    from tests.factories import MerchantFactory, ProviderAccountFactory

    with connection.cursor() as cursor:
        cursor.execute(SHOPS)
        for m in range(merchants):
            price = PRICES[m % len(PRICES)]
            basis_points, fixed = price.get("account", (0, 0))
            shop = MerchantFactory(code=f"SHOP{m:03d}", time_zone=ZONES[m % len(ZONES)], created_at=BEFORE)
            fpx, migs = (
                ProviderAccountFactory(
                    merchant=shop,
                    provider=provider,
                    account_key=account_key(provider, m),
                    fee_basis_points=basis_points,
                    fee_fixed_minor=fixed,
                    created_at=BEFORE,
                )
                for provider in ("fpx", "migs")
            )
            plan_id, tiers = _priced(shop.pk, price)
            cursor.execute(
                "INSERT INTO shop VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    m,
                    shop.pk,
                    fpx.pk,
                    migs.pk,
                    plan_id,
                    tiers,
                    price.get("minimum_minor", 0),
                    price.get("maximum_minor"),
                ],
            )
            if m:
                _agreed(shop.pk, m, {} if m == merchants - 1 else TERMS[(m - 1) % len(TERMS)])
        cursor.execute(LEDGER_ACCOUNTS)


def _priced(merchant_id: str, price: dict[str, Any]) -> tuple[str | None, Any]:
    """The fee plan, None where the accounts' price holds; and the tiers as SQL takes them."""
    from dataclasses import asdict

    from psycopg.types.json import Jsonb

    from payments.ledger.fees import Tier
    from tests.factories.agreed import plan_agreed

    if "tiers" not in price:
        return None, Jsonb([asdict(Tier(0, *price["account"]))])
    plan = plan_agreed(
        merchant_id=merchant_id,
        live=False,
        method="",
        currency="MYR",
        tiers=[Tier(*tier) for tier in price["tiers"]],
        minimum_minor=price.get("minimum_minor", 0),
        maximum_minor=price.get("maximum_minor"),
        now=BEFORE,
    )
    return plan.pk, Jsonb(plan.tiers)


def _agreed(merchant_id: str, m: int, terms: dict[str, Any]) -> None:
    from common.changes import Actor
    from payments.services.accounts import account_open
    from reconciliation.models import PayTo
    from reconciliation.services.terms import NewTerms
    from tests.factories.agreed import terms_agreed

    actor = Actor("system:month")
    if m % 2:
        bank = {
            "name": f"Shop {m}",
            "account": f"51234567{m:04d}",
            "bic": "MBBEMYKL",
            "bank": "Maybank",
            "country": "MY",
        }
        goes = {"pay_to": PayTo.BANK, "bank": bank}
    else:
        own = account_open(merchant_id=merchant_id, live=False, currency="MYR", name="Own", actor=actor, now=BEFORE)
        goes = {"pay_to": PayTo.ACCOUNT, "account_id": own.pk}
    new = NewTerms(**terms | goes)
    terms_agreed(merchant_id, new, now=BEFORE)


@contextmanager
def rules_lifted(lifted: bool) -> Iterator[None]:
    """Without triggers and foreign keys, which cost several times what the rows do, on the tables that are filled here: `verify_books` looks at all of
    it afterwards.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT tgrelid::regclass::text, tgname FROM pg_trigger
               WHERE NOT tgisinternal AND tgenabled = 'A' AND tgrelid::regclass::text = ANY (%s)""",
            [
                [
                    "transaction",
                    "payment",
                    "operation",
                    "refund",
                    "journal_entry",
                    "posting",
                    "fact",
                    "audit_record",
                    "fee_charge",
                ]
            ],
        )
        triggers = cursor.fetchall() if lifted else []
        for table, name in triggers:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        if lifted:
            cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            for table, name in triggers:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
            cursor.execute("RESET session_replication_role")


def plan_month(count: int, days: int, merchants: int) -> None:
    """All payments of the month. Their books follow day by day."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(PLAN + PAYMENTS, {"count": count, "first": NOON, "days": days, "merchants": merchants})


def book_day(number: int) -> None:
    """The books of one day."""
    from django.db import connection
    from django.db import transaction as database

    with database.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(BOOKS, {"at": NOON + timedelta(days=number)})
