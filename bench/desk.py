"""Two people and the nightly jobs of the generated month: chargebacks are booked, facts relayed, merchants settled, payouts made and answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bench.month import BANK, BANK_ACCOUNT, FIRST, Month

Seconds = dict[str, float]


def timed(seconds: Seconds, name: str, what: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    try:
        return what()
    finally:
        seconds[name] += time.perf_counter() - started


class Desk:
    """Two people and the nightly jobs."""

    def __init__(self, seconds: Seconds) -> None:
        from common.changes import Actor
        from tests.factories.agreed import new_payout_bank
        from tests.reconciliation.people import person

        self.seconds, self.actor = seconds, Actor("system:bench")
        self.maker, self.checker = person("maker", "superuser"), person("checker", "superuser")
        self.settlements = self.payouts = self.disputes = 0
        new_payout_bank(source=BANK, account_key=BANK_ACCOUNT, bic="SBOXMYKLXXX", now=moment(0))

    def night(self, month: Month, number: int) -> None:
        """Chargebacks of the day before, then settling all whose day is over, then the payouts of the week."""
        from notifications.services.dispatch import relay_outbox

        now = moment(number)
        self._book_chargebacks(month, now)
        timed(self.seconds, "settle", lambda: self._settle(now))
        if number % 7 == 4:
            timed(self.seconds, "pay_out", lambda: self._pay_out(now))
        timed(self.seconds, "relay", lambda: relay_outbox(now=now))

    def _approve(self, proposal: Any, now: datetime) -> None:
        from common.approvals import approve

        approve(proposal_id=proposal.pk, by=self.checker, reason="Seen", actor=self.actor, now=now)

    def _book_chargebacks(self, month: Month, now: datetime) -> None:
        from reconciliation.models import Break
        from reconciliation.services.resolutions import DISPUTE, propose_resolution

        found = Break.objects.filter(resolved_at=None, line__type="CHARGEBACK", operation__isnull=False)
        for each in found.select_related("line", "operation"):
            proposal = propose_resolution(
                kind=DISPUTE, break_id=each.pk, by=self.maker, reason="Lost", actor=self.actor, now=now
            )
            self._approve(proposal, now)
            month.planted.discard((each.kind, each.line.provider_reference, each.operation.reference))
            self.disputes += 1

    def _settle(self, now: datetime) -> None:
        from reconciliation.services.settle import books
        from reconciliation.services.settle_all import settle_books

        for book in books():
            yesterday = now.astimezone(book.zone).date() - timedelta(days=1)
            made, problems = settle_books([book], day=yesterday, actor=self.actor, now=now)
            if problems:
                raise SystemExit(problems[0])
            self.settlements += len(made)

    def _pay_out(self, now: datetime) -> None:
        """All that is due: to accounts at once; through the bank the first of a file came back, the second arrived, the others are on their way."""
        from reconciliation.models import PayoutFile, PayTo, Settlement
        from reconciliation.services.payout_files import payout_file_handed_over, payouts_send
        from reconciliation.services.payouts import payout_confirm, payouts_propose

        due = Settlement.objects.filter(state="CREATED", pay_on__lte=now.date(), terms__isnull=False)
        ids = list(due.exclude(terms__pay_to=PayTo.NOWHERE).values_list("pk", flat=True)[:400])
        if not ids:
            return
        self.payouts += len(ids)
        self._approve(payouts_propose(settlement_ids=ids, by=self.maker, reason="Due", actor=self.actor, now=now), now)
        payouts_send(now=now)
        for file in PayoutFile.objects.filter(state="PREPARED"):
            payout_file_handed_over(file_id=file.pk, reason="Carried", actor=self.actor, now=now)
            for number, payout in enumerate(file.payouts.order_by("pk")[:2]):
                asked = payout_confirm(
                    payout_id=payout.pk,
                    returned=number == 0,
                    by=self.maker,
                    reason="By phone",
                    actor=self.actor,
                    now=now,
                )
                self._approve(asked, now)

    def payouts_that_should_not_be_late(self) -> list[str]:
        """The bank shows no payout here, so the ones that are with it become breaks; no other may."""
        from reconciliation.models import Break

        found = Break.objects.filter(resolved_at=None, payout__isnull=False).exclude(payout__state="SENT")
        return list(found.values_list("payout_id", flat=True))

    def late_answers(self, number: int) -> None:
        """The provider says in the end what became of some that had waited: of every second that it moved another amount, which waits in suspense."""
        from common.money import Money
        from payments.models import Operation
        from payments.providers.base import Outcome, ProviderResult
        from payments.services.advance import payment_advance

        for index, each in enumerate(Operation.objects.filter(state="PENDING").order_by("created_at", "pk")[:20]):
            amount = Money(each.amount_minor + 100 * (index % 2), each.currency)
            result = ProviderResult(Outcome.SUCCEEDED, amount=amount, code="00")
            payment_advance(operation_id=each.pk, result=result, actor=self.actor, now=moment(number))


def moment(number: int) -> datetime:
    """The night after a day: it is over in every merchant's zone but that of New York."""
    day: date = FIRST + timedelta(days=number)
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)
