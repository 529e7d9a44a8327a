"""Any reference that a person may have in hand finds its transaction, in every list that belongs to transactions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from common.audit import record_action
from common.changes import Actor
from common.models import AuditRecord, Fact
from payments.admin.search import ReferenceSearch, transactions_by_reference
from payments.models import Refund
from reconciliation.models import StatementLine
from tests.console.conftest import SignIn
from tests.console.world import World
from tests.factories import ProviderAccountFactory, captured_transaction, sale_of


@pytest.mark.parametrize(
    "kind",
    [
        "transaction id",
        "payment_trans_id",
        "external reference",
        "operation reference",
        "refund id",
        "refund operation",
        "provider reference",
        "bank reference",
        "approval code",
        "payer email",
        "beginning of the email, capitals",
        "lower case payment_trans_id",
    ],
)
def test_a_reference_finds_its_transaction(kind: str, shared_world: World, sign_in: SignIn) -> None:
    captured_transaction(ProviderAccountFactory(), external_reference="OTHER", payer_email="other@payer.example")
    payment, refund = shared_world.transaction.payments.get(), Refund.objects.get()
    term = {
        "transaction id": shared_world.transaction.pk,
        "payment_trans_id": payment.payment_trans_id,
        "external reference": "INV-77",
        "operation reference": sale_of(shared_world.transaction).reference,
        "refund id": refund.pk,
        "refund operation": refund.operation.reference,
        "provider reference": "FPX990",
        "bank reference": "MB42",
        "approval code": "004217",
        "payer email": "nurul@payer.example",
        "beginning of the email, capitals": "NURUL@",
        "lower case payment_trans_id": payment.payment_trans_id.lower(),
    }[kind]
    client = sign_in("support")

    found = client.get("/admin/payments/transaction/", {"q": f" {term} "}).context["cl"].queryset
    payments = client.get("/admin/payments/payment/", {"q": term}).context["cl"].queryset

    assert [transaction.pk for transaction in found] == [shared_world.transaction.pk]
    assert [found_payment.pk for found_payment in payments] == [payment.pk]


def test_a_merchants_code_finds_all_of_it(shared_world: World, sign_in: SignIn) -> None:
    captured_transaction(ProviderAccountFactory())
    client = sign_in("support")

    found = client.get("/admin/payments/transaction/", {"q": "kedai"}).context["cl"].queryset

    assert {transaction.merchant_id for transaction in found} == {shared_world.merchant.pk}
    assert found.count() == 2


@pytest.mark.parametrize("term", ["' OR 1=1 --", "%", "x" * 10_000, "\x00"])
def test_a_strange_term_finds_nothing(term: str, shared_world: World, sign_in: SignIn) -> None:
    response = sign_in("support").get("/admin/payments/transaction/", {"q": term})

    assert response.status_code == 200
    assert term == "\x00" or response.context["cl"].queryset.count() == 0


@pytest.mark.parametrize("name", ["break", "match", "statementline"])
def test_lists_of_reconciliation_are_searched_by_whole_references(
    name: str, shared_world: World, sign_in: SignIn
) -> None:
    operation = sale_of(shared_world.transaction)
    line = StatementLine.objects.get(matches__operation=operation)
    client = sign_in("auditor")

    def found(term: str) -> int:
        return int(client.get(f"/admin/reconciliation/{name}/", {"q": term}).context["cl"].queryset.count())

    ours = line.our_reference if name == "statementline" else operation.reference
    assert [found(f" {line.provider_reference} "), found(ours.lower()), found(line.provider_reference[:-1])] == [
        1,
        1,
        0,
    ]


LONG = [
    "break",
    "match",
    "statementline",
    "settlementline",
    "feecharge",
    "webhookattempt",
    "auditrecord",
    "fact",
]


def _leads(model: type[Model], column: str) -> bool:
    with connection.cursor() as cursor:
        rules = connection.introspection.get_constraints(cursor, model._meta.db_table).values()
    return any((rule["index"] or rule["unique"]) and rule["columns"][:1] == [column] for rule in rules)


@pytest.mark.parametrize("name", LONG)
def test_a_long_list_is_searched_through_indexes(name: str, db: None) -> None:
    """Each value that is looked for leads an index, and so does each key on the way back to the list's own row."""
    start, page = next((m, a) for m, a in site._registry.items() if m._meta.model_name == name)
    without = []
    for path in page.exact:
        model: Any = start
        for part in path.split("__"):
            field = model._meta.get_field("id" if part == "pk" else part)
            if not _leads(model, field.column):
                without.append(f"{path}: {model._meta.db_table}.{field.column}")
            model = field.related_model

    assert without == []


@pytest.mark.parametrize(
    ("name", "term"), [("auditrecord", "req_1"), ("auditrecord", "aisha"), ("auditrecord", "txn_1"), ("fact", "req_1")]
)
def test_the_audit_log_and_the_facts_are_searched_through_indexes(name: str, term: str, db: None) -> None:
    page: Any = next(a for m, a in site._registry.items() if m._meta.model_name == name)
    found, _ = page.get_search_results(None, page.model.objects.all(), term)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = found.explain()

    assert "Seq Scan" not in plan, plan


def test_a_request_and_a_person_are_found_in_the_audit_log(shared_world: World, sign_in: SignIn) -> None:
    common: dict[str, Any] = {"subject_type": "break", "subject_id": "77", "now": timezone.now()}
    record_action(actor=Actor("operator:Zainab", request_id="req_by_zainab"), action="break.assigned", **common)
    record_action(actor=Actor("merchant:zainab/key:1", request_id="req_other"), action="x", **common)
    fact = Fact.objects.filter(request_id__gt="").first() or Fact.objects.first()
    assert fact is not None
    record = AuditRecord.objects.get(subject_id=fact.subject_id, version=fact.sequence)
    client = sign_in("auditor")

    def found(name: str, term: str) -> list[Any]:
        return list(client.get(f"/admin/common/{name}/", {"q": term}).context["cl"].queryset)

    assert [each.request_id for each in found("auditrecord", "Zainab")] == ["req_by_zainab"]
    assert [each.actor for each in found("auditrecord", "operator:Zainab")] == ["operator:Zainab"]
    assert [each.actor for each in found("auditrecord", "req_by_zainab")] == ["operator:Zainab"]
    assert record in found("auditrecord", fact.request_id)
    assert fact in found("fact", fact.request_id)
    assert {each.request_id for each in found("fact", fact.request_id)} == {fact.request_id}


def _conditions(plan: Any) -> list[bool]:
    """Of each reading of a table or an index in the plan, whether a condition leads it."""
    reads = plan["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan")
    found = ["Index Cond" in plan] if reads else []
    return found + [led for below in plan.get("Plans", []) for led in _conditions(below)]


@pytest.mark.parametrize("term", ["INV-77", "nurul@payer.example"])
def test_each_reference_of_a_payment_leads_an_index(term: str, db: None) -> None:
    """Looked at branch by branch: the order in which a whole list is joined is the planner's, who knows how long it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = 1000000, relpages = 1 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    (plan,) = json.loads(transactions_by_reference(term).explain(format="json"))

    led = _conditions(plan["Plan"])

    assert len(led) > 5
    assert all(led), plan


def test_every_list_of_payments_is_joined_and_searched_by_columns_that_lead_an_index(db: None) -> None:
    """A list that is added is in here, too: whatever is searched by references."""
    pages = [page for page in site._registry.values() if isinstance(page, ReferenceSearch)]
    without = []
    for page in pages:
        model: Any = page.model
        for part in () if page.transaction_path == "pk" else page.transaction_path.split("__"):
            field = model._meta.get_field(part)
            if not _leads(model, field.column):
                without.append(f"{model._meta.db_table}.{field.column}")
            model = field.related_model
        for name in page.own:
            field = page.model._meta.get_field(name)
            if not _leads(page.model, field.column):
                without.append(f"{page.model._meta.db_table}.{field.column}")

    assert len(pages) >= 9
    assert without == []


def test_an_idempotency_key_is_found_by_its_whole_value(shared_world: World, sign_in: SignIn) -> None:
    client = sign_in("auditor")

    def found(term: str) -> int:
        return int(client.get("/admin/merchants/idempotencyrecord/", {"q": term}).context["cl"].queryset.count())

    assert [found(" k1 "), found("K1"), found("k"), found(shared_world.merchant.code.lower())] == [1, 1, 0, 1]
