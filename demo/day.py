"""The script of the business day: who pays how much, by which door, and what the payer does. The same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TEST_AMOUNTS = tuple(f"{units}.00" for units in range(1, 10))
_ORDINARY = 25  # ordinary payments for each merchant, door and method


@dataclass(frozen=True, slots=True)
class Scene:
    """One payment."""

    merchant: int
    door: str  # "eps", "api", or "page": the API with the choice left to the payer
    method: str  # "fpx" or "migs"; on our page "migs" is the second try, after a bank's decline
    amount: str
    decision: str  # "approve", "decline", "leave"
    manual_capture: bool = False


def scenes(merchants: int) -> Sequence[Scene]:
    """Every test amount by both doors and both providers for the first merchants, then ordinary trade, shuffled.

    The last merchant has the documents' limits (100 a minute), so it trades little.
    """
    dice = random.Random(20260302)  # noqa: S311  (a script that is the same every time, no secret)
    found = list(_tests(min(2, merchants - 1)))
    for merchant in range(merchants):
        quiet = merchant == merchants - 1
        for door in ("eps", "api"):
            for method in ("fpx", "migs"):
                for _ in range(3 if quiet else _ORDINARY // 2):
                    amount = f"{dice.randint(10, 900)}.{dice.randint(0, 99):02d}"
                    decision = dice.choices(("approve", "decline", "leave"), weights=(82, 11, 7))[0]
                    found.append(Scene(merchant, door, method, amount, decision))
        if not quiet:
            for method in ("fpx", "migs", "migs"):
                found.append(Scene(merchant, "page", method, f"{dice.randint(20, 200)}.00", "approve"))
            found.append(Scene(merchant, "api", "migs", f"{dice.randint(100, 900)}.00", "approve", manual_capture=True))
    dice.shuffle(found)
    return found


def _tests(merchants: int) -> Iterator[Scene]:
    for merchant in range(merchants):
        for door in ("eps", "api"):
            for method in ("fpx", "migs"):
                for amount in TEST_AMOUNTS:
                    yield Scene(merchant, door, method, amount, "approve")


def refund_amount(captured: str, number: int) -> str | None:
    """What is given back of the `number`-th paid transaction: every tenth, in turn all, half, and amounts that fail."""
    if number % 10:
        return None
    turn = (number // 10) % 5
    sen = int(captured.replace(".", ""))
    if turn == 3 and sen > 200:
        return "2.00"  # the provider declines
    if turn == 4 and sen > 500:
        return "5.00"  # the provider fails twice, then does it
    part = sen if turn == 0 else sen // 2
    return f"{part // 100}.{part % 100:02d}"
