"""One row of every model that the console shows, and more of the lists that grow."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User

from common.approvals import approve
from common.changes import Actor
from common.ids import new_id
from common.models import AuditLink, AuditRecord, Fact, Proposal
from common.money import Money
from merchants.models import IdempotencyRecord, Merchant, ProviderAccount
from merchants.services.sessions import sign_in
from merchants.services.users import merchant_user_create
from notifications.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.ledger.fees import Tier
from payments.models import Bank, Operation, ProviderEvent, Transaction, TransferRun, TransferRunItem
from payments.models.provider_event import EventState
from payments.providers.base import Outcome
from payments.services.accounts import account_open
from payments.services.refund_batches import refund_batch_prepare
from payments.services.refund_files import Wanted
from payments.services.refunds import refund_request
from reconciliation.models import (
    BankBalance,
    BankLine,
    BankMatch,
    Break,
    BreakComment,
    BreakFilter,
    DayClose,
    FeeClaim,
    FeeClaimLine,
    FeeClaimRefund,
    Match,
    MatchGroup,
    PayTo,
    QuarantinedLine,
    ReconciliationRun,
    Rehearsal,
    Remittance,
    Settlement,
    Source,
    Statement,
    StatementFile,
    StatementFileChunk,
    StatementLine,
)
from reconciliation.services.payout_files import payouts_send
from reconciliation.services.payouts import payouts_propose
from reconciliation.services.rule_sets import rule_set_live
from reconciliation.services.settle import books, settle_book
from reconciliation.services.terms import NewTerms
from tests.factories import (
    NOW,
    ApiKeyFactory,
    MerchantFactory,
    ProviderAccountFactory,
    new_transaction,
    sale_of,
    settle,
)
from tests.factories.agreed import (
    new_bank_account,
    new_calendar,
    new_mapping,
    new_payout_bank,
    plan_agreed,
    terms_agreed,
)

SECRET = "whsec_never-to-be-seen"
PASSWORD = "password-never-to-be-seen"


@dataclass(frozen=True)
class World:
    merchant: Merchant
    account: ProviderAccount
    transaction: Transaction
    delivery: WebhookDelivery


def build_world() -> World:
    """A merchant with a refunded payment that called back, told its merchant, was reconciled; and a conflict."""
    merchant = MerchantFactory(
        code="KEDAI", eps_api_key="eps-key-never-to-be-seen", pass_phrase="phrase-never-to-be-seen"
    )
    ApiKeyFactory(merchant=merchant)
    _signed_in(merchant)
    account = ProviderAccountFactory(merchant=merchant, fee_basis_points=150)
    plan_agreed(merchant_id=merchant.pk, live=False, method="fpx", currency="MYR", tiers=[Tier(0, 150, 0)])
    Bank.objects.create(provider="fpx", business=False, code="TEST0021", name="Bank", online=True, refreshed_at=NOW)
    transaction = _refunded(account)
    conflicted = new_transaction(account).transaction
    settle(sale_of(conflicted), amount=Money(9_000, "MYR"), provider_reference="P9")
    IdempotencyRecord.objects.create(
        merchant=merchant, live=False, key="k1", fingerprint=bytes(32), status=201, body=b"{}", created_at=NOW
    )
    record = AuditRecord.objects.order_by("id").first()
    assert record is not None
    AuditLink.objects.create(position=1, record=record, previous_hash=bytes(32), hash=b"h" * 32)
    delivery = _told(merchant, transaction)
    _reconciled(account, transaction)
    refund_batch_prepare(
        merchant_id=merchant.pk,
        live=False,
        title="returns.csv",
        wanted=[Wanted(2, transaction.pk, "1.00"), Wanted(3, "none")],
        reason="Recall",
        actor=Actor("system:test"),
        now=NOW,
    )
    _settled(account)
    run = TransferRun.objects.create(
        id=new_id("run"), requested_by="system:transfer_batch", requested_at=NOW, started_at=NOW, ended_at=NOW
    )
    TransferRunItem.objects.create(run=run, transaction=transaction, status="COMPLETED", ended_at=NOW)
    opened = {"currency": "MYR", "name": "Main", "actor": Actor("system:test"), "now": NOW}
    account_open(account_id="acc_1", merchant_id=merchant.pk, live=False, **opened)
    return World(merchant, account, transaction, delivery)


def _signed_in(merchant: Merchant) -> None:
    merchant_user_create(
        merchant_id=merchant.pk,
        username="nurul@kedai",
        password=PASSWORD,
        live=False,
        scopes=["transaction:read"],
        actor=Actor("system:test"),
        now=NOW,
    )
    sign_in(username="nurul@kedai", password=PASSWORD, request_id="", now=NOW)


def _refunded(account: ProviderAccount) -> Transaction:
    created = new_transaction(
        account,
        external_reference="INV-77",
        payer_name="Nurul <script>alert(1)</script>",
        payer_email="nurul@payer.example",
    )
    operation = sale_of(created.transaction)
    settle(operation, Outcome.PENDING)
    settle(
        operation,
        provider_reference="FPX990",
        approval_code="004217",
        bank_reference="MB42",
        now=NOW + timedelta(seconds=30),
    )
    ProviderEvent.objects.create(
        id=new_id("pev"),
        provider="fpx",
        provider_account=account,
        payment=created.payment,
        state=EventState.ACTED,
        event_key=f"AC:{operation.reference}",
        reference=operation.reference,
        method="POST",
        body=b"fpx_debitAuthCode=00",
        received_at=NOW,
    )
    refund = refund_request(
        transaction_id=created.transaction.pk,
        amount=Money(2_500, "MYR"),
        reason="Damaged",
        actor=Actor("operator:aisha", "req_9"),
        now=NOW + timedelta(minutes=5),
    )
    Operation.objects.filter(refund=refund).update(state="SENT", sends=1, sent_at=NOW)
    settle(refund.operation, now=NOW + timedelta(minutes=6))
    created.transaction.refresh_from_db()
    return created.transaction


def _told(merchant: Merchant, transaction: Transaction) -> WebhookDelivery:
    endpoint = WebhookEndpoint(
        id=new_id("whe"),
        merchant=merchant,
        live=False,
        url="https://kedai.example/hook",
        created_at=NOW,
        updated_at=NOW,
    )
    endpoint.seal_secret(SECRET)
    endpoint.save()
    fact = Fact.objects.get(subject_id=transaction.pk, sequence=1)
    delivery = WebhookDelivery.objects.create(
        id=new_id("whd"),
        endpoint=endpoint,
        event_id=fact.pk,
        event_type="transaction.created",
        transaction_id=transaction.pk,
        sequence=1,
        body=b"{}",
        state="DEAD",
        attempts=10,
        created_at=NOW,
    )
    WebhookAttempt.objects.create(delivery=delivery, at=NOW, status=503, error="http_503", duration_ms=31)
    return delivery


def _reconciled(account: ProviderAccount, transaction: Transaction) -> None:
    day = NOW.date()
    statement = Statement.objects.create(
        id=new_id("stm"),
        provider="fpx",
        provider_account=account,
        live=False,
        day=day,
        state="IMPORTED",
        sha256=bytes(32),
        line_count=2,
        new_line_count=1,
        quarantined_count=1,
        received_at=NOW,
        imported_at=NOW,
    )
    file = StatementFile.objects.create(statement=statement, size=4)
    StatementFileChunk.objects.create(file=file, number=0, compressed=zlib.compress(b"file"))
    QuarantinedLine.objects.create(statement=statement, number=2, cells=["?"], reason="Unreadable", created_at=NOW)
    operation = sale_of(transaction)
    line = StatementLine.objects.create(
        statement=statement,
        number=1,
        provider="fpx",
        account_key=account.account_key,
        provider_account=account,
        type="PAYMENT",
        provider_reference="FPX990",
        occurrence=1,
        our_reference=operation.reference,
        at=NOW,
        currency="MYR",
        amount_minor=10_000,
        fee_minor=100,
        net_minor=9_900,
        status_code="00",
    )
    rule_set = rule_set_live(provider="fpx", comparison="LEDGER", now=NOW)
    Rehearsal.objects.create(
        id=new_id("rhs"),
        rule_set=rule_set,
        rules=rule_set.rules,
        live=False,
        first_day=day,
        last_day=day,
        figures={"days": 1, "same": 1, "won": 1, "lost": 0, "changed": 0},
        samples={
            "won": [{"day": str(day), "line": "FPX990", "now": operation.pk, "before": None, "why": "By REFERENCE"}]
        },
        actor="operator:nurul",
        at=NOW,
    )
    run = ReconciliationRun.objects.create(
        id=new_id("run"),
        provider="fpx",
        live=False,
        day=day,
        actor="system:nightly",
        rule_set=rule_set,
        started_at=NOW,
        ended_at=NOW,
    )
    Match.objects.create(run=run, line=line, operation=operation, rule="REFERENCE")
    Break.objects.create(
        run=run,
        provider="fpx",
        live=False,
        day=day,
        kind="FEE_MISMATCH",
        line=line,
        operation=operation,
        our_currency="MYR",
        our_minor=150,
        their_currency="MYR",
        their_minor=100,
        cause="The fee differs.",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    _three_sides(account, statement, run)
    _sources(statement)


def _sources(statement: Statement) -> None:
    bank = Source.objects.create(code="mybank", name="My bank", side="BANK", format="mapped")
    new_mapping(bank)
    new_bank_account(bank, "514011112222")
    new_calendar()
    BankBalance.objects.create(
        statement=statement,
        account_key="514011112222",
        currency="MYR",
        opened_on=statement.day,
        opening_minor=0,
        closed_on=statement.day,
        closing_minor=9_900,
        entry_count=1,
    )


def _settled(account: ProviderAccount) -> None:
    """Two days: the first holds a reserve back, the second releases it."""
    terms_agreed(account.merchant_id, NewTerms(reserve_basis_points=500, reserve_days=1))
    [book] = books(account.merchant.code)
    for days in range(2):
        settle_book(
            book,
            day=NOW.date() + timedelta(days=days),
            actor=Actor("system:test"),
            now=NOW + timedelta(days=days, hours=12),
        )
    assert Settlement.objects.count() == 2
    _paid_out(account)


def _paid_out(account: ProviderAccount) -> None:
    """One of the settlements is with the bank."""
    new_payout_bank()
    bank = {"name": "Kedai", "account": "NEVERTOBESEEN77", "bank": "Maybank"}
    terms_agreed(account.merchant_id, NewTerms(pay_to=PayTo.BANK, bank=bank))
    makes, releases = (User.objects.create_superuser(name) for name in ("demo_makes", "demo_releases"))
    settlement = Settlement.objects.filter(state="CREATED").order_by("day")[:1]
    proposal = payouts_propose(
        settlement_ids=[each.pk for each in settlement], by=makes, reason="Due", actor=Actor("system:test"), now=NOW
    )
    approve(proposal_id=proposal.pk, by=releases, reason="", actor=Actor("system:test"), now=NOW)
    payouts_send(now=NOW)


def _claimed(statement: Statement, found: Break) -> None:
    """A claim to the provider, and a line by which it gave something back."""
    claim = FeeClaim.objects.create(
        id=new_id("fcl"),
        provider="fpx",
        live=False,
        currency="MYR",
        first_day=statement.day,
        last_day=statement.day,
        line_count=1,
        claimed_minor=50,
        reason="Contract",
        created_by="operator:aisha",
        created_at=NOW,
    )
    FeeClaimLine.objects.create(line=found.line, claim=claim, break_item=found, agreed_minor=100, charged_minor=150)
    FeeClaimRefund.objects.create(
        line=found.line, claim=claim, amount_minor=10, reason="x", created_by="operator:aisha", created_at=NOW
    )


def _three_sides(account: ProviderAccount, statement: Statement, run: ReconciliationRun) -> None:
    """A remittance that the bank paid, and a break that somebody commented on and proposed to write off."""
    remittance = Remittance.objects.create(
        id=new_id("rem"),
        statement=statement,
        provider="fpx",
        account_key=account.account_key,
        provider_account=account,
        live=False,
        day=statement.day,
        due_on=statement.day,
        currency="MYR",
        line_count=1,
        gross_minor=10_000,
        fee_minor=100,
        net_minor=9_900,
    )
    bank_line = BankLine.objects.create(
        statement=statement,
        number=1,
        provider="mybank",
        account_key="514011112222",
        reference="BK1",
        occurrence=1,
        booked_on=statement.day,
        value_on=statement.day,
        currency="MYR",
        amount_minor=9_900,
    )
    group = MatchGroup.objects.create(
        id=new_id("mtg"), comparison="BANK", rule="AMOUNT_AND_DATE", run=run, created_at=NOW
    )
    BankMatch.objects.create(group=group, bank_line=bank_line)
    BankMatch.objects.create(group=group, remittance=remittance)
    DayClose.objects.create(
        id=new_id("day"),
        provider="fpx",
        live=False,
        day=statement.day - timedelta(days=1),
        number=1,
        state="CLOSED",
        is_clean=True,
        actor="system:nightly",
        at=NOW,
    )
    _claimed(statement, Break.objects.get(run=run))
    person, _ = User.objects.get_or_create(username="demo_clerk")
    found = Break.objects.get(run=run)
    BreakFilter.objects.create(owner=person, name="Mine", query="queue=mine", created_at=NOW)
    BreakComment.objects.create(break_item=found, author=person, text="Asked the provider.", at=NOW)
    Proposal.objects.create(
        id=new_id("prp"),
        kind="break.write_off",
        subject_type="break",
        subject_id=str(found.pk),
        summary="Write off 0.50 MYR",
        permission="reconciliation.view_break",
        reason="Small",
        proposed_by=person,
        proposed_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
