"""Which of several amounts come to a given one: bounded, in a fixed order, and honest about ties. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

MOST_PARTS = 6  # of one sum
MOST_CHOICES = 24  # among which to look
MOST_TRIES = 200_000


def parts_of(target: int, amounts: Sequence[int], *, slack: int = 0, least: int = 2) -> list[tuple[int, ...]]:
    """The smallest sets of positions whose amounts come to `target`, give or take `slack`: none, the one, or two that are as good.

    Fewer parts are better, then the smaller difference. Among more than MOST_CHOICES amounts, or after MOST_TRIES tries, it gives up: a
    sum that so many could make is no evidence.
    """
    if len(amounts) > MOST_CHOICES:
        return []
    tries = 0
    for size in range(least, min(MOST_PARTS, len(amounts)) + 1):
        found: list[tuple[int, tuple[int, ...]]] = []
        for chosen in combinations(range(len(amounts)), size):
            tries += 1
            if tries > MOST_TRIES:
                return []
            off = abs(sum(amounts[i] for i in chosen) - target)
            if off <= slack:
                found.append((off, chosen))
        if found:
            best = min(off for off, _ in found)
            return [chosen for off, chosen in found if off == best][:2]
    return []


def both_sides(
    left: Sequence[int], right: Sequence[int], *, slack: int = 0, most: int = 3
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The smallest sets of at least two on each side that come to the same: none, the one, or two that are as good."""
    if max(len(left), len(right)) > MOST_CHOICES // 2:
        return []
    for size in range(4, 2 * most + 1):
        found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        for lefts in range(2, min(most, size - 2) + 1):
            rights = size - lefts
            if rights > most:
                continue
            for a in combinations(range(len(left)), lefts):
                total = sum(left[i] for i in a)
                for b in combinations(range(len(right)), rights):
                    if abs(sum(right[i] for i in b) - total) <= slack:
                        found.append((a, b))
                        if len(found) == 2:
                            return found
        if found:
            return found
    return []
