"""What is charged back of a payment stays between nothing and what was captured less refunded; what is given back was charged back before.

So a merchant never pays twice for one payment, by two chargebacks or by a refund beside one, and is never given back what was not taken from them. The
transaction remembers what is charged back (the database holds the bounds, and refunds count it); of a line that names no payment of ours the lines
that were booked before are added up. What lies beyond is no dispute: it is adjusted or written off.
"""

from __future__ import annotations

from django.db.models import F, Sum

from common.errors import InvalidState
from common.money import Money
from payments.models import Operation, Transaction
from payments.providers.base import Kind
from reconciliation.models import StatementLine

_KIND = "break.dispute"


def dispute_hold(line: StatementLine) -> None:
    """Lock the transaction whose payment the line is about, if it names one."""
    transaction_id = _transaction_id(line)
    list(Transaction.objects.select_for_update(of=("self",)).filter(pk=transaction_id).values_list("pk"))


def refuse_dispute(line: StatementLine) -> None:
    """Raises InvalidState if the line takes more than is left of its payment, or gives back more than was taken."""
    taken = -line.amount_minor
    found = Transaction.objects.filter(pk=_transaction_id(line)).first()
    if found is None:
        disputed, room = _disputed_beside(line), None
    elif found.currency != line.currency:
        disputed, room = 0, 0
    else:
        disputed, room = found.amount_disputed_minor, found.refundable_minor
    if disputed + taken < 0:
        held = Money(disputed, line.currency).text()
        raise InvalidState(f"Only {held} was charged back by the books: what comes beyond it is adjusted.")
    if room is not None and taken > room:
        left = Money(room, line.currency).text()
        raise InvalidState(f"Only {left} of the payment is left to charge back: what goes beyond it is adjusted.")


def dispute_count(line: StatementLine) -> None:
    """Let the line's payment remember that it was charged back, or given back. Under its lock."""
    Transaction.objects.filter(pk=_transaction_id(line)).update(
        amount_disputed_minor=F("amount_disputed_minor") - line.amount_minor
    )


def _transaction_id(line: StatementLine) -> str | None:
    named = Operation.objects.filter(
        reference=line.our_reference,
        kind__in=(Kind.SALE, Kind.CAPTURE),
        payment__provider_account=line.provider_account_id,
    )
    return named.values_list("payment__transaction", flat=True).first()


def _disputed_beside(line: StatementLine) -> int:
    booked = StatementLine.objects.filter(
        provider_account=line.provider_account_id,
        our_reference=line.our_reference,
        currency=line.currency,
        matches__group__proposal__kind=_KIND,
    )
    return -(booked.aggregate(minor=Sum("amount_minor"))["minor"] or 0)
