"""Card numbers must never reach us: here is how one is recognised in free text, so that it can be refused before it is kept.

A card number is 13 to 19 digits with the prefix and length of a card scheme and a right check digit, written together, in any groups
separated by single spaces or dashes, or in the groups that cards print (4-4-4-4, 4-6-5, 4-6-4) separated by several spaces or by the
same dot, slash or dash of any kind; with different marks in one number pairs of rates ("4100.0000/4105.0000") would be cards.

Everything else that is long and numeric (references, telephone numbers) passes, and so do UUIDs, ObjectIds and hexadecimal digests: about
one random UUID in two thousand has groups that would pass for a card number, and most idempotency keys are UUIDs.
"""

from __future__ import annotations

import re
import unicodedata

_RUN = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_PRINTED = [(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4)]
_MARK = "[./\u2010-\u2015\u2212-]"  # dots, slashes, hyphens and dashes
_ODD = re.compile(rf"[0-9]{{4}}(?:\s{{2,3}}|\s?{_MARK}\s?)[0-9]{{4}}")  # where looking for them is worth it


def _printed(groups: tuple[int, ...], first: str, next_ones: str) -> re.Pattern[str]:
    digits = [f"[0-9]{{{size}}}" for size in groups]
    return re.compile(rf"(?<![0-9])(?=({digits[0]}{first}{next_ones.join(digits[1:])})(?![0-9]))")


_ODD_CARDS = [
    _printed(groups, first, next_ones)
    for groups in _PRINTED
    for first, next_ones in ((r"\s{1,3}", r"\s{1,3}"), (rf"\s?(?P<mark>{_MARK})\s?", r"\s?(?P=mark)\s?"))
]
# With a letter at least: one of digits only may be two card numbers as well. A card's second track may be written in hexadecimal digits:
# the number, a D, the expiry date and more.
_IDENTIFIER = re.compile(
    r"""
    (?<![0-9A-Za-z])
    (?: (?=[0-9-]{0,35}[A-Fa-f]) [0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}  # a UUID
      | (?=[0-9]*[A-Fa-f]) (?![0-9]{12,19}[Dd][0-9]{7,}[Ff]?(?![0-9A-Za-z]))
        (?: [0-9A-Fa-f]{32,128}                                 # one without dashes, a digest
          | [0-9A-Fa-f]{24} ) )                                 # an ObjectId
    (?![0-9A-Za-z])
    """,
    re.VERBOSE,
)
_SCHEMES = re.compile(
    r"""
      4[0-9]{12}(?:[0-9]{3}){0,2}                                             # Visa: 13, 16, 19
    | (?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}  # Mastercard: 16
    | 3[47][0-9]{13}                                                          # American Express: 15
    | 3(?:0[0-5]|[689][0-9])[0-9]{11,16}                                      # Diners Club: 14 to 19
    | 35(?:2[89]|[3-8][0-9])[0-9]{12,15}                                      # JCB: 16 to 19
    | 6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})[0-9]{12,15}                    # Discover, UnionPay: 16 to 19
    | (?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}                   # Maestro: 13 to 19
    """,
    re.VERBOSE,
)


def contains_card_number(text: str) -> bool:
    """Whether `text` holds a card number, alone or among other words and numbers. Full-width digits count as digits."""
    if sum(map(str.isdigit, text)) < 13:
        return False
    others = _IDENTIFIER.split(unicodedata.normalize("NFKC", text))
    return any(_in_run(run.group()) for part in others for run in _RUN.finditer(part)) or any(map(_odd_cards, others))


def mask_card_numbers(text: str) -> str:
    """The text with every run of digits that holds a card number reduced to its last four."""
    if len(text) < 13:
        return text
    masked, end = "", 0
    for identifier in _IDENTIFIER.finditer(text):
        masked, end = masked + _masked(text[end : identifier.start()]) + identifier.group(), identifier.end()
    return masked + _masked(text[end:])


def _masked(text: str) -> str:
    for first, last in _odd_cards(text):
        text = f"{text[:first]}[card {text[last - 4 : last]}]{text[last:]}"
    return _RUN.sub(lambda run: f"[card {run.group()[-4:]}]" if _in_run(run.group()) else run.group(), text)


def _odd_cards(text: str) -> list[tuple[int, int]]:
    """Where the card numbers stand that are written in printed groups with odd separators, the last one first; none within another."""
    if not _ODD.search(text):
        return []
    found = [match.span(1) for pattern in _ODD_CARDS for match in pattern.finditer(text) if _is_card(match[1])]
    apart: list[tuple[int, int]] = []
    for first, last in sorted(found, reverse=True):
        if not apart or last <= apart[-1][0]:
            apart.append((first, last))
    return apart


def _is_card(grouped: str) -> bool:
    digits = re.sub("[^0-9]", "", grouped)
    return bool(_SCHEMES.fullmatch(digits)) and _luhn(digits)


def _in_run(run: str) -> bool:
    """Any whole groups in a row: "order 12 4111 1111 1111 1111" has the card number behind another number."""
    groups = re.split("[ -]", run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > 19:
                break
            if _SCHEMES.fullmatch(digits) and _luhn(digits):
                return True
    return False


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0
