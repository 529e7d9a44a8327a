"""A merchant's terms of settlement change by a new version that two people agreed on, never by an edit; settlements that are made keep theirs.

The proposal has the whole version, the bank account sealed; it is void if another version came first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.contrib.auth.models import User

from common.agreed import changes_of, read_row, row_of
from common.approvals import Act, Changed, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest
from common.ids import new_id
from common.models import Proposal
from merchants.models import Merchant
from payments.models import Account
from reconciliation.models import BankCalendar, PayTo, SettlementTerms
from reconciliation.models.terms import TERMS_AGREED
from reconciliation.settlement.calendar import MIDNIGHT, Cycle

_ACCOUNT = re.compile(r"[A-Z0-9]{4,34}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_COUNTRY = re.compile(r"[A-Z]{2}")
SET = "settlement_terms.set"
_OWN = (
    "id",
    "merchant_id",
    "live",
    "currency",
    "version",
    "bank_sealed",
)  # of a version itself; the rest is what changes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerms:
    """What is agreed. `bank`: {"name", "account", "bic", "bank", "country"}, of which name and account are needed."""

    cycle: Cycle = Cycle.DAILY
    weekday: int | None = None
    cut_off: time = MIDNIGHT
    pay_after_days: int = 1
    calendar_id: str | None = None
    reserve_basis_points: int = 0
    reserve_days: int = 0
    minimum_payout_minor: int = 0
    only_proven: bool = False
    pay_to: PayTo = PayTo.NOWHERE
    account_id: str | None = None
    bank: Mapping[str, str] | None = None


def terms_propose(
    *, merchant_id: str, live: bool, currency: str, new: NewTerms, by: User, actor: Actor, reason: str, now: datetime
) -> Proposal:
    """Ask a second person to agree on new terms; the next settlement after that is made by them.

    Raises InvalidRequest (not sensible, or the same as now), Forbidden, InvalidState (others of the merchant wait already).
    """
    key: dict[str, Any] = {"merchant_id": merchant_id, "live": live, "currency": currency}
    if errors := _wrong(new, key):
        raise InvalidRequest(" ".join(errors))
    last = _last(key)
    terms = SettlementTerms(
        id=new_id("trm"),
        **key,
        version=last.version + 1 if last else 1,
        cycle=new.cycle,
        weekday=new.weekday,
        cut_off=new.cut_off,
        pay_after_days=new.pay_after_days,
        calendar_id=new.calendar_id,
        reserve_basis_points=new.reserve_basis_points,
        reserve_days=new.reserve_days,
        minimum_payout_minor=new.minimum_payout_minor,
        only_proven=new.only_proven,
        pay_to=new.pay_to,
        account_id=new.account_id,
    )
    if new.bank is not None:
        terms.seal_bank({name: value for name, value in new.bank.items() if value})
    before, row = _shown(last), _shown(terms)
    if before == row and last is not None and _same_bank(last, terms):
        raise InvalidRequest("Nothing would change.")
    code = Merchant.objects.get(pk=merchant_id).code
    return propose(
        kind=SET,
        subject_type="settlement_terms",
        subject_id=about_terms(code, live, currency),
        merchant_id=merchant_id,
        summary=f"{'New' if last else 'First'} terms of {code} in {currency} ({'live' if live else 'test'})"
        f"{f', paid to {terms.bank_hint or terms.account_id}' if terms.pay_to != PayTo.NOWHERE else ''}",
        reason=reason,
        pins=[],
        by=by,
        actor=actor,
        now=now,
        parameters={
            "row": row_of(terms, TERMS_AGREED),
            "before": row_of(last, TERMS_AGREED) if last else None,
            "asked_by": actor.name,
        },
    )


def about_terms(merchant_code: str, live: bool, currency: str) -> str:
    """What proposals of terms are about: one set waits at a time."""
    return f"{merchant_code} {'live' if live else 'test'} {currency}"


def _lock(proposal: Proposal) -> None:
    Merchant.objects.select_for_update(no_key=True).get(pk=proposal.merchant_id)  # versions are counted one at a time


def _agree(proposal: Proposal, actor: Actor, now: datetime) -> None:
    row = proposal.parameters["row"]
    last = _last({name: row[name] for name in ("merchant_id", "live", "currency")})
    if row["version"] != (last.version + 1 if last else 1):
        raise Changed("The merchant got other terms in between. The proposal is void.")
    terms = SettlementTerms.objects.create(
        **read_row(SettlementTerms, row),
        proposal=proposal,
        reason=proposal.reason[:255],
        created_by=proposal.parameters["asked_by"],
        created_at=now,
    )
    record_action(
        actor=actor,
        action=SET,
        subject_type="settlement_terms",
        subject_id=terms.pk,
        merchant_id=terms.merchant_id,
        reason=terms.reason,
        changes=changes_of(_shown(last), _shown(terms)),
        now=now,
    )


ACT = Act(
    kind=SET,
    title="Agree on a merchant's terms",
    may_propose="reconciliation.propose_settlementterms",
    may_approve="reconciliation.approve_settlementterms",
    lock=_lock,
    execute=_agree,
)


def _last(key: Mapping[str, Any]) -> SettlementTerms | None:
    return SettlementTerms.objects.filter(**key).order_by("-version").first()


def _shown(terms: SettlementTerms | None) -> dict[str, Any]:
    """What of the terms may be read, by column."""
    return {name: value for name, value in row_of(terms, TERMS_AGREED).items() if name not in _OWN} if terms else {}


def _same_bank(one: SettlementTerms, other: SettlementTerms) -> bool:
    return one.pay_to != PayTo.BANK or one.open_bank() == other.open_bank()


def _wrong(new: NewTerms, key: Mapping[str, Any]) -> list[str]:
    errors = []
    if (new.cycle == Cycle.WEEKLY) != (new.weekday is not None) or new.weekday not in (None, *range(1, 8)):
        errors.append("Weekly terms have a day of the week, others have none.")
    if not 0 <= new.pay_after_days <= 60 or new.minimum_payout_minor < 0:
        errors.append("Payouts are at most 60 business days later, and the minimum is not negative.")
    if not 0 <= new.reserve_basis_points <= 10_000 or (new.reserve_basis_points and not 1 <= new.reserve_days <= 730):
        errors.append("A reserve is at most 100 % and is held for 1 to 730 days.")
    if (new.pay_to == PayTo.ACCOUNT) != (new.account_id is not None) or (new.pay_to == PayTo.BANK) != (
        new.bank is not None
    ):
        errors.append("Name the one place where the money goes.")
    if new.account_id is not None and not Account.objects.filter(pk=new.account_id, **key).exists():
        errors.append("The account is not the merchant's in this mode and currency.")
    if new.calendar_id is not None and not BankCalendar.objects.filter(pk=new.calendar_id).exists():
        errors.append("There is no such calendar.")
    if new.bank is not None:
        errors += _wrong_bank(new.bank)
    return errors


def _wrong_bank(bank: Mapping[str, str]) -> list[str]:
    errors = []
    if not 1 <= len(bank.get("name", "")) <= 70:
        errors.append("The account's holder has 1 to 70 characters.")
    if not _ACCOUNT.fullmatch(bank.get("account", "")):
        errors.append("The account is 4 to 34 capital letters and digits, without spaces.")
    if bank.get("bic") and not _BIC.fullmatch(bank["bic"]):
        errors.append("The BIC has 8 or 11 characters.")
    if bank.get("country") and not _COUNTRY.fullmatch(bank["country"]):
        errors.append("The country has two letters.")
    return errors
