"""What two people agreed on, by the real way: one proposes, another approves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from common.approvals import approve
from common.changes import Actor
from common.models import Proposal
from payments.models import FeePlan
from payments.services.fee_plans import fee_plan_propose
from reconciliation.models import (
    BankAccount,
    BankCalendar,
    PayoutBank,
    SettlementTerms,
    Source,
    SourceMapping,
    WriteOffLimit,
)
from reconciliation.services.mappings import source_mapping_propose
from reconciliation.services.settings import BANK_ACCOUNT, CALENDAR, PAYOUT_BANK, SOURCE, WRITE_OFF_LIMIT
from reconciliation.services.terms import NewTerms, terms_propose
from tests.factories.payments import NOW


def two_people() -> tuple[User, User]:
    """Who proposes and who approves in what a test is given; superusers, so that no roles are needed."""
    defaults = {"is_staff": True, "is_superuser": True}
    first, second = (User.objects.get_or_create(username=name, defaults=defaults)[0] for name in ("asks", "agrees"))
    return first, second


def by_two(propose: Callable[..., Proposal], **asked: Any) -> Proposal:
    first, second = two_people()
    given: dict[str, Any] = {"actor": Actor("operator:asks"), "now": NOW, "reason": "As agreed"} | asked
    proposal = propose(by=first, **given)
    approve(proposal_id=proposal.pk, by=second, reason="", actor=Actor("operator:agrees"), now=given["now"])
    return proposal


def new_bank_account(source: Source, account_key: str, **values: Any) -> BankAccount:
    """An account of ours in test mode and MYR, unless told otherwise."""
    wanted = BankAccount(source=source, account_key=account_key, **({"live": False, "currency": "MYR"} | values))
    by_two(BANK_ACCOUNT.propose, wanted=wanted)
    return BankAccount.objects.get(source=source, account_key=account_key)


BANK_COLUMNS = {
    "header": ["Date", "Ref", "Amount"],
    "columns": {"booked_on": "Date", "reference": "Ref", "amount": "Amount"},
    "fixed": {"account_key": "514011112222", "currency": "MYR"},
    "date_format": "%d/%m/%Y",
}


def new_mapping(source: Source, mapping: dict[str, Any] | None = None) -> SourceMapping:
    """How the columns of a mapped source are read; by default of a bank's three."""
    asked = {"source_code": source.pk, "mapping": mapping or BANK_COLUMNS, "now": timezone.now()}
    return SourceMapping.objects.get(proposal=by_two(source_mapping_propose, **asked))


def new_payout_bank(now: datetime = NOW, **values: Any) -> PayoutBank:
    given = {"live": False, "currency": "MYR", "source": "mybank", "account_key": "514011112222", "name": "Counterfoil"}
    proposal = by_two(PAYOUT_BANK.propose, wanted=PayoutBank(**(given | values)), now=now)
    return PayoutBank.objects.get(proposal=proposal)


def payout_bank_agreed(bank: PayoutBank, **changes: Any) -> PayoutBank:
    """Payouts are made from another account of ours."""
    for name, value in changes.items():
        setattr(bank, name, value)
    by_two(PAYOUT_BANK.propose, wanted=bank, now=timezone.now())  # each later than the one before
    return PayoutBank.objects.get(pk=bank.pk)


def new_calendar(code: str = "MY", holidays: dict[str, str] | None = None) -> BankCalendar:
    """A country's bank holidays; by default Malaysia's new year of 2026."""
    days = {"2026-02-17": "Chinese New Year", "2026-02-18": "Chinese New Year"} if holidays is None else holidays
    by_two(CALENDAR.propose, wanted=BankCalendar(code=code, name="Banks", holidays=days))
    return BankCalendar.objects.get(pk=code)


def write_off_limit_agreed(currency: str, minor: int) -> WriteOffLimit:
    """What may be written off of a currency."""
    limit = WriteOffLimit.objects.filter(pk=currency).first() or WriteOffLimit(currency=currency)
    limit.limit_minor = minor
    by_two(WRITE_OFF_LIMIT.propose, wanted=limit, now=timezone.now())
    return WriteOffLimit.objects.get(pk=currency)


def source_agreed(code: str, **changes: Any) -> Source:
    """Other prices, tolerances or due days of a source."""
    source = Source.objects.get(pk=code)
    for name, value in changes.items():
        setattr(source, name, value)
    by_two(SOURCE.propose, wanted=source, now=timezone.now())  # each later than the one before
    return Source.objects.get(pk=code)


def terms_agreed(merchant_id: str, new: NewTerms, *, currency: str = "MYR", **asked: Any) -> SettlementTerms:
    """A merchant's next terms in test mode."""
    key = {"merchant_id": merchant_id, "live": False, "currency": currency}
    return SettlementTerms.objects.get(proposal=by_two(terms_propose, **key, new=new, **asked))


def plan_agreed(**asked: Any) -> FeePlan:
    """A merchant's price, as fee_plan_propose asks for it."""
    return FeePlan.objects.get(proposal=by_two(fee_plan_propose, **asked))
