"""The bank's statement as MT940 (SWIFT), a message for each account. Lines end with CR LF, as SWIFT writes them."""

from __future__ import annotations

from common.money import Money
from sandbox.bank.records import BIC, CURRENCY, BankDay, BankEntry


def mt940(days: list[BankDay]) -> str:
    return "".join(map(_message, days))


def _message(found: BankDay) -> str:
    six = found.day.replace("-", "")[2:]
    lines = [
        f"{{1:F01{BIC[:8]}AXXX0000000000}}{{2:I940{BIC[:8]}XXXXN}}{{4:",
        f":20:SB{six}",
        f":25:{found.account}",
        f":28C:{six[:5]}/1",
        f":60F:{_balance(found.opening_minor, six)}",
    ]
    for entry in found.entries:
        lines += _entry(entry, six)
    lines += [f":62F:{_balance(found.closing_minor, six)}", "-}"]
    return "".join(f"{line}\r\n" for line in lines)


def _entry(entry: BankEntry, six: str) -> list[str]:
    mark = "C" if entry.amount_minor > 0 else "D"
    # the customer's reference has sixteen characters: the end-to-end id is in the information below
    text = f"/EREF/{entry.end_to_end_id}/NAME/{entry.counterparty}/REMI/{entry.narrative}"
    pieces = [text[start : start + 65] for start in range(0, len(text), 65)]
    return [
        f":61:{six}{six[2:]}{mark}{_amount(entry.amount_minor)}NTRFNONREF//{entry.reference}",
        f":86:{pieces[0]}",
        *pieces[1:],
    ]


def _balance(minor: int, six: str) -> str:
    return f"{'D' if minor < 0 else 'C'}{six}{CURRENCY}{_amount(minor)}"


def _amount(minor: int) -> str:
    return str(Money(abs(minor), CURRENCY)).replace(".", ",")
