"""The balance sheet: the balances of all accounts by kind, and that what we have is what we owe and what is ours, to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Sum

from payments.models import Posting
from payments.models.ledger import AccountKind

HAVE = (AccountKind.PROVIDER_RECEIVABLE, AccountKind.BANK, AccountKind.HOUSE_CASH, AccountKind.FX_CLEARING)
OWE = (
    AccountKind.MERCHANT_PAYABLE,
    AccountKind.MERCHANT_RESERVE,
    AccountKind.PAYOUT_IN_TRANSIT,
    AccountKind.CUSTOMER,
    AccountKind.CUSTOMER_HELD,
    AccountKind.SUSPENSE,
)
EARNED = (AccountKind.FEE_INCOME,)
SPENT = (AccountKind.PROVIDER_FEES, AccountKind.BANK_CHARGES, AccountKind.DIFFERENCES)


@dataclass(slots=True)
class Sheet:
    """One mode and currency. Each side's lines are (label, minor units), signed so that they add up."""

    live: bool
    currency: str
    have: list[tuple[str, int]] = field(default_factory=list)
    owe: list[tuple[str, int]] = field(default_factory=list)
    earned: list[tuple[str, int]] = field(default_factory=list)
    spent: list[tuple[str, int]] = field(default_factory=list)

    @property
    def total_have(self) -> int:
        return sum(minor for _, minor in self.have)

    @property
    def total_owe(self) -> int:
        """What we owe, and what is ours: income less expenses."""
        return sum(minor for _, minor in [*self.owe, *self.earned]) - sum(minor for _, minor in self.spent)

    @property
    def off_by(self) -> int:
        return self.total_have - self.total_owe


def balance_sheet() -> list[Sheet]:
    """For every mode and currency that has postings, live first."""
    found: dict[tuple[bool, str], dict[str, int]] = {}
    rows = Posting.objects.values_list("account__live", "account__currency", "account__kind").annotate(
        Sum("amount_minor")
    )
    for live, currency, kind, minor in rows.order_by():
        found.setdefault((live, currency), {})[kind] = int(minor)
    balances = []
    for (live, currency), of_kind in sorted(found.items(), key=lambda item: (not item[0][0], item[0][1])):
        each = Sheet(live, currency)
        for kinds, lines, sign in (
            (HAVE, each.have, 1),
            (OWE, each.owe, -1),
            (EARNED, each.earned, -1),
            (SPENT, each.spent, 1),
        ):
            lines += [(AccountKind(kind).label, sign * of_kind[kind]) for kind in kinds if kind in of_kind]
        balances.append(each)
    return balances
