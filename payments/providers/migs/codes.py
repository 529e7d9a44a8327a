"""What `vpc_TxnResponseCode` means, from the published list of the Virtual Payment Client.

A code that is not listed is not guessed. "No reply from the bank" and "submitted, no response" are the gateway's own
don't-knows, so they are ours too.
"""

from __future__ import annotations

from payments.providers.base import FailureCode, Outcome

APPROVED = "0"
PENDING = frozenset("PD")

_WORDS = {
    FailureCode.INSUFFICIENT_FUNDS: "5",
    FailureCode.INVALID_CARD: "4IS",  # expired card, security code wrong, card type refused
    FailureCode.CANCELLED_BY_PAYER: "C",
    FailureCode.EXPIRED: "T",
    FailureCode.PROVIDER_ERROR: "678R",
    FailureCode.DECLINED: "129ABEFHKLNUV",
}
FAILURES = {code: word for word, codes in _WORDS.items() for code in codes}
UNDECIDED = {"3": "no_reply_from_bank", "M": "no_reply_from_bank", "?": "unknown_at_provider"}


def meaning(code: str) -> tuple[Outcome, str, str]:
    """(outcome, our failure code, reason)."""
    if code == APPROVED:
        return Outcome.SUCCEEDED, "", ""
    if code in PENDING:
        return Outcome.PENDING, "", ""
    if code in FAILURES:
        return Outcome.DECLINED, FAILURES[code], ""
    return Outcome.UNKNOWN, "", UNDECIDED.get(code, "unknown_code")
