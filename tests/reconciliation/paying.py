"""Settlements to pay out, people who do it, and a bank that answers as it is told and lists what it booked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from django.contrib.auth.models import User

from common.approvals import approve
from common.changes import Actor
from common.ids import new_id
from common.models import Proposal
from merchants.models import Merchant
from payments.models import Account
from reconciliation.models import (
    BankLine,
    Payout,
    PayoutBank,
    PayTo,
    ReconciliationRun,
    Settlement,
    SettlementTerms,
    Statement,
)
from reconciliation.services.payout_proof import Proven, payouts_prove
from reconciliation.services.payouts import payouts_propose
from reconciliation.services.terms import NewTerms
from tests.factories import NOW, captured_transaction, new_account
from tests.factories.agreed import new_payout_bank, terms_agreed
from tests.reconciliation.people import person
from tests.reconciliation.test_settle import AFTER, DAY, agreed, priced, settled
from tests.support.listening import Listening

ACTOR = Actor("operator:maker")
SHOP = {"name": "Kedai Sdn Bhd", "account": "512345678901", "bic": "MBBEMYKL", "bank": "Maybank", "country": "MY"}
LATER = AFTER + timedelta(hours=1)


def banked(
    merchant: Merchant, details: dict[str, str] | None = None, *, now: datetime = NOW, **values: Any
) -> SettlementTerms:
    """New terms that pay to a bank account."""
    return terms_agreed(merchant.pk, NewTerms(pay_to=PayTo.BANK, bank=details or SHOP, **values), now=now)


def to_bank(minor: int = 10_000) -> Settlement:
    """A merchant with a bank account, and a settlement of one payment: 100.00 less 1.70."""
    account = priced()
    banked(account.merchant)
    captured_transaction(account)
    [made] = settled(account.merchant)
    return made


def to_account() -> tuple[Settlement, Account]:
    """A merchant who is paid to an account with us."""
    account = priced()
    own = new_account(account.merchant, currency="MYR")
    agreed(account.merchant, pay_to=PayTo.ACCOUNT, account_id=own.pk)
    captured_transaction(account)
    [made] = settled(account.merchant)
    return made, own


def maker() -> User:
    return User.objects.filter(username="maker").first() or person("maker")


def checker(name: str = "checker", role: str = "finance_lead") -> User:
    return User.objects.filter(username=name).first() or person(name, role)


def proposed(*settlements: Settlement, by: User | None = None, now: datetime = LATER) -> Proposal:
    return payouts_propose(
        settlement_ids=[each.pk for each in settlements], by=by or maker(), reason="Due", actor=ACTOR, now=now
    )


def yes(proposal: Proposal, by: User | None = None, *, now: datetime = LATER) -> Proposal:
    return approve(proposal_id=proposal.pk, by=by or checker(), reason="", actor=Actor("operator:checker"), now=now)


def released(*settlements: Settlement) -> list[Payout]:
    yes(proposed(*settlements))
    return list(Payout.objects.filter(settlement__in=settlements).order_by("pk"))


def our_bank(url: str = "", **values: Any) -> PayoutBank:
    return new_payout_bank(bic="SBOXMYKLXXX", url=url, **values)


def bank_lines(*lines: tuple[str, int], **values: Any) -> list[BankLine]:
    """What the bank lists: (end-to-end id, amount in minor units, negative when it left)."""
    statement = Statement.objects.create(
        id=new_id("stm"),
        provider=values.get("provider", "mybank"),
        live=False,
        day=DAY,
        state="IMPORTED",
        sha256=new_id("x").encode()[:32],
        line_count=len(lines),
        new_line_count=len(lines),
        received_at=NOW,
        imported_at=NOW,
    )
    return [
        BankLine.objects.create(
            statement=statement,
            number=number,
            reference=new_id("b"),
            occurrence=1,
            end_to_end_id=end_to_end_id,
            booked_on=DAY,
            value_on=DAY,
            amount_minor=minor,
            narrative="RETURN AC04" if minor > 0 else "",
            **({"currency": "MYR", "provider": statement.provider, "account_key": "514011112222"} | values),
        )
        for number, (end_to_end_id, minor) in enumerate(lines, start=1)
    ]


def proven(*, now: datetime = LATER) -> Proven:
    run = ReconciliationRun.objects.create(
        id=new_id("run"), provider="mybank", live=False, day=DAY, actor="system:test", started_at=now, ended_at=now
    )
    return payouts_prove(run=run, actor=ACTOR, now=now)


class Bank:
    """`bodies`: what it was sent. `answers`: status of each answer in turn, the last for ever; 0 hangs up without one, 1 stalls in the middle
    of one. `dislikes`: a file that has this text is answered by 400."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers = [202]
        self.dislikes = b""
        self.closed = threading.Event()
        bank = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bank.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status = bank.answers.pop(0) if len(bank.answers) > 1 else bank.answers[0]
                if bank.dislikes and bank.dislikes in bank.bodies[-1]:
                    status = 400
                if status == 1:
                    self.send_response(202)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    bank.closed.wait()
                elif status:
                    self.send_response(status)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")
                else:
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Quiet: the tests look at the bodies."""

        self.server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/bank/payments"


@contextmanager
def a_bank() -> Iterator[Bank]:
    bank = Bank()
    threading.Thread(target=bank.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield bank
    finally:
        bank.closed.set()
        bank.server.shutdown()
        bank.server.server_close()
