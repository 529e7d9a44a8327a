"""One entry of a bank's statement, whichever format brought it: its fields as text, and what they have to be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from common.money import UnknownCurrency, exponent
from reconciliation.parsers.base import Balance, Entry, LineProblem, RefusedFile, Totals

COLUMNS = (
    "ACCOUNT",
    "REFERENCE",
    "END_TO_END_ID",
    "CREDIT_OR_DEBIT",
    "AMOUNT",
    "CURRENCY",
    "REVERSAL",
    "BOOKED_ON",
    "VALUE_ON",
    "TYPE",
    "COUNTERPARTY",
    "NARRATIVE",
    "CHARGES",
    "INSTRUCTED_AMOUNT",
    "INSTRUCTED_CURRENCY",
)
_AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,5}))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_NOT_PROVIDED = ("", "NOTPROVIDED", "NONREF")


class EntryParser:
    """Reads one entry. `accounts`: account -> currency, those that a file of this source and mode may speak of."""

    columns = COLUMNS

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._accounts = accounts

    def currency_of(self, number: int, account: str) -> str:
        """Raises RefusedFile for an account that is not one of them."""
        currency = self._accounts.get(account)
        if currency is None:
            raise RefusedFile(f"line {number}: account {account!r} is not one of this source's in this mode")
        return currency

    def read(self, number: int, values: Sequence[str]) -> Entry:
        if len(values) != len(COLUMNS):
            raise LineProblem(f"{len(values)} fields instead of {len(COLUMNS)}")
        field = dict(zip(COLUMNS, values, strict=True))
        currency = self.currency_of(number, field["ACCOUNT"])
        if field["CURRENCY"] != currency:
            raise LineProblem(f"CURRENCY {field['CURRENCY']!r} on an account in {currency}")
        if field["CREDIT_OR_DEBIT"] not in ("C", "D"):
            raise LineProblem(f"CREDIT_OR_DEBIT {field['CREDIT_OR_DEBIT']!r} is neither C nor D")
        if field["REVERSAL"] not in ("", "true", "false"):
            raise LineProblem(f"REVERSAL {field['REVERSAL']!r} is neither true nor false")
        minor = minor_of(field["AMOUNT"], currency)
        if minor == 0:
            raise LineProblem("an AMOUNT of nothing")
        charges = minor_of(field["CHARGES"], currency) if field["CHARGES"] else 0
        instructed_currency = field["INSTRUCTED_CURRENCY"]
        instructed = minor_of(field["INSTRUCTED_AMOUNT"], instructed_currency) if instructed_currency else None
        booked_on = day_of(field["BOOKED_ON"])
        end_to_end_id, reference = _short(field["END_TO_END_ID"], 60), _short(field["REFERENCE"], 60)
        return Entry(
            number=number,
            account_key=field["ACCOUNT"],
            reference=_made_reference(values) if reference in _NOT_PROVIDED else reference,
            end_to_end_id="" if end_to_end_id in _NOT_PROVIDED else end_to_end_id,
            narrative=_short(field["NARRATIVE"], 2000),
            counterparty=_short(field["COUNTERPARTY"], 140),
            type_code=_short(field["TYPE"], 40),
            reversal=field["REVERSAL"] == "true",
            booked_on=booked_on,
            value_on=day_of(field["VALUE_ON"]) if field["VALUE_ON"] else booked_on,
            currency=currency,
            amount_minor=minor if field["CREDIT_OR_DEBIT"] == "C" else -minor,
            charges_minor=charges,
            instructed_currency=instructed_currency,
            instructed_minor=instructed,
        )


def minor_of(text: str, currency: str) -> int:
    """`1234.5` in minor units of the currency, exactly. Raises LineProblem."""
    found = _AMOUNT.fullmatch(text)
    try:
        digits = exponent(currency)
    except UnknownCurrency as exc:
        raise LineProblem(f"unknown currency {currency!r}") from exc
    fraction = (found.group(2) or "").rstrip("0") if found else ""
    if found is None or len(fraction) > digits:
        raise LineProblem(f"{text!r} is not an amount of {currency}")
    return int(found.group(1) + fraction.ljust(digits, "0"))


def day_of(text: str) -> date:
    """`2026-03-02`. Raises LineProblem."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise LineProblem(f"{text!r} is not a date like 2026-03-02")


def check_day(entry: Entry, opened_on: date, closed_on: date) -> None:
    """Raises LineProblem for an entry outside its statement's days."""
    if not opened_on <= entry.booked_on <= closed_on:
        raise LineProblem(f"booked on {entry.booked_on}, in a statement of {opened_on} to {closed_on}")


def hundredths_of(minor: int, currency: str) -> int:
    """For sums over several currencies. One with more decimals counts in its own minor units: entries cut off one by one come to less."""
    return int(minor * 10 ** max(2 - exponent(currency), 0))


def stated_by(balances: Iterable[Balance]) -> Totals:
    """What opening and closing balances say of the entries between them."""
    lines = moved = 0
    for balance in balances:
        lines += balance.entry_count
        moved += hundredths_of(balance.closing_minor - balance.opening_minor, balance.currency)
    return Totals(lines, moved, 0, moved)


def _short(text: str, longest: int) -> str:
    return _CONTROL.sub(" ", text).strip()[:longest]


def _made_reference(values: Sequence[str]) -> str:
    """A bank that gives an entry no reference: its content is its name, the same in every file."""
    return "made-" + hashlib.sha256("\x1f".join(values).encode()).hexdigest()[:32]
