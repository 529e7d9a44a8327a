"""A merchant's terms of settlement change by a new version with a reason, never by an edit; settlements that are made keep theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest
from common.ids import new_id
from merchants.models import Merchant
from payments.models import Account
from reconciliation.models import PayTo, SettlementTerms
from reconciliation.settlement.calendar import MIDNIGHT, Cycle

_ACCOUNT = re.compile(r"[A-Z0-9]{4,34}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_COUNTRY = re.compile(r"[A-Z]{2}")
_SHOWN = (
    "cycle",
    "weekday",
    "cut_off",
    "pay_after_days",
    "reserve_basis_points",
    "reserve_days",
    "minimum_payout_minor",
    "only_proven",
    "pay_to",
    "account_id",
    "bank_hint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerms:
    """What is agreed. `bank`: {"name", "account", "bic", "bank", "country"}, of which name and account are needed."""

    cycle: Cycle = Cycle.DAILY
    weekday: int | None = None
    cut_off: time = MIDNIGHT
    pay_after_days: int = 1
    reserve_basis_points: int = 0
    reserve_days: int = 0
    minimum_payout_minor: int = 0
    only_proven: bool = False
    pay_to: PayTo = PayTo.NOWHERE
    account_id: str | None = None
    bank: Mapping[str, str] | None = None


def terms_set(
    *, merchant_id: str, live: bool, currency: str, new: NewTerms, actor: Actor, reason: str, now: datetime
) -> SettlementTerms:
    """Agree on new terms from now on: the next settlement is made by them. Raises InvalidRequest."""
    key: dict[str, Any] = {"merchant_id": merchant_id, "live": live, "currency": currency}
    if errors := _wrong(new, key):
        raise InvalidRequest(" ".join(errors))
    with database.atomic():
        Merchant.objects.select_for_update(no_key=True).get(pk=merchant_id)  # versions are counted one at a time
        last = SettlementTerms.objects.filter(**key).order_by("-version").first()
        terms = SettlementTerms(
            id=new_id("trm"),
            **key,
            version=last.version + 1 if last else 1,
            cycle=new.cycle,
            weekday=new.weekday,
            cut_off=new.cut_off,
            pay_after_days=new.pay_after_days,
            reserve_basis_points=new.reserve_basis_points,
            reserve_days=new.reserve_days,
            minimum_payout_minor=new.minimum_payout_minor,
            only_proven=new.only_proven,
            pay_to=new.pay_to,
            account_id=new.account_id,
            reason=reason,
            created_by=actor.name,
            created_at=now,
        )
        if new.bank is not None:
            terms.seal_bank({name: value for name, value in new.bank.items() if value})
        terms.save(force_insert=True)
        record_action(
            actor=actor,
            action="settlement_terms.set",
            subject_type="settlement_terms",
            subject_id=terms.pk,
            merchant_id=merchant_id,
            reason=reason,
            changes={
                name: [_plain(last, name), _plain(terms, name)]
                for name in _SHOWN
                if _plain(last, name) != _plain(terms, name)
            },
            now=now,
        )
    return terms


def _plain(terms: SettlementTerms | None, name: str) -> Any:
    value = getattr(terms, name) if terms else None
    return value if isinstance(value, str | int | bool | None) else str(value)


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
