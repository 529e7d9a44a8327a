"""What a payer can choose from: the methods that the merchant's accounts take for this amount, and the banks of one of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from payments.models import Transaction
from payments.pay.stages import Situation
from payments.providers.registry import provider_class
from payments.routing.route import choices
from payments.selectors import banks_of

_HINTS = {"fpx": "hint_bank", "migs": "hint_card", "vnpay_qr": "hint_qr", "khqr": "hint_qr"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A method; `hint` names the sentence that tells what happens next."""

    method: str
    lists_banks: bool

    @property
    def hint(self) -> str:
        return _HINTS.get(self.method, "hint_other")


@dataclass(frozen=True, slots=True)
class Shown:
    """A bank in the list; `found` if it is what the payer searched for, `words` is what a search looks at."""

    code: str
    name: str
    online: bool
    words: str
    found: bool


def choices_for(situation: Situation) -> list[Choice]:
    """In the order in which the merchant's accounts are asked; nothing for a merchant who was switched off."""
    transaction: Transaction = situation.transaction
    if not transaction.merchant.is_active:
        return []
    offered = choices(
        merchant_id=transaction.merchant_id,
        live=transaction.live,
        currency=transaction.currency,
        kind=situation.kind,
    )
    return [
        Choice(method, provider_class(account.provider).lists_banks and bool(banks_for(method)))
        for method, account in offered.items()
    ]


def banks_for(method: str, query: str = "") -> Sequence[Shown]:
    """The banks for private payers, as last listed; empty if no list is known, and then the provider asks for the bank itself."""
    wanted = plain(query).split()
    banks = [bank for bank in banks_of(method) if not bank.business]
    found = [(bank, plain(f"{bank.name} {bank.code}")) for bank in banks]
    return [
        Shown(bank.code, bank.name, bank.online, words, all(word in words for word in wanted)) for bank, words in found
    ]


def bank_name(method: str, code: str) -> str:
    """What the bank of this code is called, the code itself if it is not listed any more, "" without one."""
    return next((bank.name for bank in banks_of(method) if bank.code == code), code) if code else ""


def plain(text: str) -> str:
    """Without case, accents and punctuation, so that "may bank" and "MAYBANK" are found. The page's script does the same."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isalnum() or c.isspace())
