"""What FPX's response codes (`fpx_debitAuthCode`) mean, from the published list of FPX 7.0.

A code that is not listed here is not guessed. Codes by which FPX refuses a second order with the same number, or reports that
its own processing broke half-way, say nothing of what became of the money: they have to be looked up.
"""

from __future__ import annotations

from payments.providers.base import FailureCode, Outcome

APPROVED = "00"
NOT_FOUND = "76"
PENDING = frozenset({"09", "99"})  # 99: a B2B1 payment waits for the company's checker

_WORDS = {
    FailureCode.INSUFFICIENT_FUNDS: "51",
    FailureCode.LIMIT_EXCEEDED: "48 49 2A 2B 2C",
    FailureCode.CANCELLED_BY_PAYER: "1C 1F 1I 1L 80 BC",
    FailureCode.EXPIRED: "1A 1D 1G 1J 1M OF",
    FailureCode.PROVIDER_ERROR: "03 05 12 13 20 30 31 46 47 50 70 78 79 83 84 85 90 92 96 98 FE OE SB XA XB XC XE XF XI XM XS XT XW",
    FailureCode.DECLINED: "14 39 53 57 58 76 77 1B 1E 1H 1K 2X BB DA DB DC DD DE DF",
}
FAILURES = {code: word for word, codes in _WORDS.items() for code in codes.split()}
UNDECIDED = {
    "45": "duplicate_reference",
    "XN": "duplicate_reference",
    "XO": "duplicate_reference",
    "87": "exception_handling",
    "88": "exception_handling",
    "89": "exception_handling",
}


def meaning(code: str, *, looking_up: bool) -> tuple[Outcome, str, str]:
    """(outcome, our failure code, reason). `looking_up`: 76 then speaks of the operation itself, not of its original."""
    if code == APPROVED:
        return Outcome.SUCCEEDED, "", ""
    if code in PENDING:
        return Outcome.PENDING, "", ""
    if code == NOT_FOUND and looking_up:
        return Outcome.NOT_FOUND, "", ""
    if code in FAILURES:
        return Outcome.DECLINED, FAILURES[code], ""
    return Outcome.UNKNOWN, "", UNDECIDED.get(code, "unknown_code")
