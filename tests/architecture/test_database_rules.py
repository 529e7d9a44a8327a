"""The rules hold in the database itself, whoever writes and however."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from common.database import constraint_of
from common.models import AuditRecord
from payments import states
from payments.models import JournalEntry, Posting
from reconciliation.models.payout import FILE_MOVES, PAYOUT_MOVES
from reconciliation.models.settlement import SETTLEMENT_MOVES
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, new_account, new_transfer

pytestmark = pytest.mark.django_db

APPEND_ONLY = [
    "transfer_run_item",
    "audit_record",
    "audit_link",
    "journal_entry",
    "posting",
    "bank_line",
    "remittance",
    "statement_file_chunk",
    "bank_balance",
    "reconciliation_source_mapping",
    "reconciliation_match_group",
    "reconciliation_bank_match",
    "reconciliation_break_comment",
    "fee_claim",
    "fee_claim_line",
    "fee_claim_refund",
    "reconciliation_match",
    "reconciliation_rehearsal",
    "day_close",
    "fee_plan",
    "fee_charge",
    "settlement_line",
    "settlement_reserve_release",
    "settlement_terms",
]
NEVER_DELETED = [
    "transfer_run",
    "transaction",
    "payment",
    "operation",
    "refund",
    "provider_event",
    "account",
    "proposal",
    "refund_batch",
    "refund_batch_item",
    "payout",
    "payout_file",
    "payout_bank",
    "bank_calendar",
    "write_off_limit",
    "settlement",
    "reconciliation_rule_set",
    "quarantined_line",
    "reconciliation_source",
    "bank_account",
]


def run(sql: str, *params: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.fixture
def truncate_refused():
    """Test databases let TRUNCATE pass so that Django can flush; here the rule is on as in production."""
    with connection.cursor() as cursor:
        cursor.execute("SET counterfoil.allow_truncate = 'off'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET counterfoil.allow_truncate")


@pytest.mark.parametrize("table", ["audit_record", "journal_entry", "posting"])
@pytest.mark.parametrize("replica", [False, True])
def test_update_and_delete_of_append_only_rows_are_refused(table, replica):
    captured_transaction(ProviderAccountFactory())
    with connection.cursor() as cursor:
        cursor.execute(f"SET session_replication_role = {'replica' if replica else 'origin'}")
    key = {"audit_record": "actor", "journal_entry": "fact_name", "posting": "currency"}[table]
    try:
        for sql in (f"UPDATE {table} SET {key} = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError, match="append-only"):
                run(sql)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = origin")


@pytest.mark.parametrize("table", APPEND_ONLY + NEVER_DELETED)
def test_truncate_is_refused(table, truncate_refused):
    with pytest.raises(IntegrityError, match="TRUNCATE on"):
        run(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("table", ["transaction", "payment", "operation"])
def test_financial_rows_are_not_deleted(table):
    captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="never deleted"):
        run(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("table", "column", "moves"),
    [
        ("transaction", "status", states.TRANSACTION_MOVES),
        ("payment", "state", states.PAYMENT_MOVES),
        ("operation", "state", states.OPERATION_MOVES),
        ("refund", "state", states.REFUND_MOVES),
        ("account", "status", states.ACCOUNT_MOVES),
        ("refund_batch", "state", states.REFUND_BATCH_MOVES),
        ("payout", "state", PAYOUT_MOVES),
        ("payout_file", "state", FILE_MOVES),
        ("refund_batch_item", "state", states.REFUND_ITEM_MOVES),
        ("settlement", "state", SETTLEMENT_MOVES),
    ],
)
def test_the_database_lists_the_same_moves_as_the_state_table(table, column, moves):
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = %s", [f"{table}_listed_moves"])
        arguments = cursor.fetchone()[0].split("\\000")

    assert arguments[0] == column
    assert set(arguments[1].split(",")) == {f"{before}>{after}" for before, after in moves}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("transaction", "status", "FAILED"), ("payment", "state", "DECLINED"), ("operation", "state", "PENDING")],
)
def test_what_is_final_stays_final_for_raw_sql(table, column, value):
    captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="cannot go from"):
        run(f"UPDATE {table} SET {column} = %s", value)


def test_refunds_above_the_capture_are_refused_by_the_database():
    captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="refunded_within_captured"):
        run("UPDATE transaction SET amount_refunded_minor = 6000, amount_refund_pending_minor = 4001")


def test_captures_above_the_authorisation_are_refused_by_the_database():
    captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="captured_within_authorized"):
        run("UPDATE transaction SET amount_captured_minor = amount_authorized_minor + 1")


def test_only_a_capture_leaves_a_rest():
    transaction_ = captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="not changed afterwards"):
        run("UPDATE operation SET final = false")
    with pytest.raises(IntegrityError, match="only_captures_go_on"):
        run(
            "INSERT INTO operation (id, payment_id, kind, state, reference, currency, amount_minor, final, sends, look_ups, due_at,"
            " provider_code, provider_reason, provider_reference, reply, created_at)"
            " SELECT 'op_x', id, 'REFUND', 'QUEUED', 'R1', 'MYR', 1, false, 0, 0, now(), '', '', '', '{}', now()"
            " FROM payment WHERE transaction_id = %s",
            transaction_.pk,
        )


@pytest.mark.parametrize("legs", [[], [100], [100, -99], [100, -100, 5]])
def test_an_unbalanced_journal_entry_does_not_commit(legs):
    captured_transaction(ProviderAccountFactory())
    account = Posting.objects.first().account

    with pytest.raises(IntegrityError, match="journal entry"), transaction.atomic():
        entry = JournalEntry.objects.create(id="jrn_x", fact_id="evt_x", fact_name="test", booked_at=NOW)
        for minor in legs:
            Posting.objects.create(entry=entry, account=account, currency="MYR", amount_minor=minor)
        run("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_leg_added_to_a_booked_entry_does_not_commit():
    captured_transaction(ProviderAccountFactory())
    posting = Posting.objects.first()

    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        Posting.objects.create(entry=posting.entry, account=posting.account, currency="MYR", amount_minor=1)
        run("SET CONSTRAINTS ALL IMMEDIATE")


def test_two_records_of_one_version_are_refused():
    captured_transaction(ProviderAccountFactory())
    record = AuditRecord.objects.order_by("id").first()

    with pytest.raises(IntegrityError, match="audit_one_record_per_version"), transaction.atomic():
        AuditRecord.objects.create(
            at=NOW, actor="x", action="x", subject_type="transaction", subject_id=record.subject_id, version=1
        )


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("transaction", "amount_minor = amount_minor + 1"),
        ("transaction", "currency = 'USD'"),
        ("transaction", "live = NOT live"),
        ("payment", "amount_minor = 1"),
        ("operation", "reference = 'other'"),
        ("operation", "amount_minor = 1"),
    ],
)
def test_what_was_asked_for_is_not_changed_afterwards(table, change):
    captured_transaction(ProviderAccountFactory())

    with pytest.raises(IntegrityError, match="not changed afterwards"):
        run(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE payment SET provider_account_id = %(strange)s", "payment_within_its_merchant"),
        ("UPDATE provider_account SET live = NOT live", "provider_account_fixed_columns"),
        ("UPDATE provider_account SET fee_basis_points = fee_basis_points + 1", "provider_account_fixed_columns"),
        (
            (
                "INSERT INTO refund SELECT 'rfd_x', 'SUCCEEDED', 'MYR', 1, 'r', 'x', '', '', now(), now(), now(), p.id, t.id"
                " FROM transaction t, payment p WHERE t.id <> p.transaction_id LIMIT 1"
            ),
            "refund_of_its_transactions_payment",
        ),
        (
            (
                "INSERT INTO review_item (id, kind, state, payment_id, operation_id, summary, details, currency, suspense_minor,"
                " accepted_minor, opened_at, decision, resolved_by, resolution) SELECT 'rev_x', 'OVERDUE', 'OPEN', p.id, o.id, '', '{}', '',"
                " 0, 0, now(), '', '', '' FROM operation o, payment p WHERE p.id <> o.payment_id LIMIT 1"
            ),
            "review_item_of_its_payments_operation",
        ),
    ],
)
def test_rows_that_belong_together_are_one_merchants(statement, rule):
    captured_transaction(ProviderAccountFactory())
    captured_transaction(ProviderAccountFactory())
    columns = "id, state, currency, amount_minor, reason, requested_by, failure_code, failure_reason, created_at, updated_at, completed_at"
    statement = statement.replace("INTO refund SELECT", f"INTO refund ({columns}, payment_id, transaction_id) SELECT")

    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"strange": ProviderAccountFactory().pk} if "%(strange)s" in statement else None)

    assert constraint_of(refused.value) == rule


def test_a_transfer_does_not_reach_into_another_merchants_account():
    ours = new_account(minor=100)
    made = new_transfer(ours, new_account(ours.merchant), 1)

    for strange in (new_account(), new_account(ours.merchant, currency="MYR"), new_account(ours.merchant, live=True)):
        with pytest.raises(IntegrityError) as refused:
            run("UPDATE transaction SET to_account_id = %s WHERE id = %s", strange.pk, made.pk)
        assert constraint_of(refused.value) == "transfer_within_its_merchant"


# Tables that every payment or every line of a night writes.
WRITTEN_MOST = [
    *(
        "transaction",
        "payment",
        "operation",
        "refund",
        "provider_event",
        "journal_entry",
        "posting",
        "fee_charge",
        "fact",
    ),
    *("audit_record", "idempotency_record", "webhook_delivery"),
    *(
        "statement_line",
        "reconciliation_match",
        "reconciliation_break",
        "reconciliation_match_group",
        "settlement",
        "settlement_line",
    ),
]


def test_keys_of_hot_tables_have_no_second_index_for_prefixes() -> None:
    """Django adds one to each text column that is indexed; a new one is dropped with common.indexes.WithoutPrefixIndexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_opclass o ON o.oid = ANY (i.indclass)
               WHERE i.indrelid = ANY (%s::regclass[]) AND o.opcname IN ('varchar_pattern_ops', 'text_pattern_ops')
               AND i.indexprs IS NULL""",
            [WRITTEN_MOST],
        )
        assert cursor.fetchall() == []
