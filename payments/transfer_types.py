"""The payment types of our own ledger, as data: how a book transfer of each type moves. Pure.

Those that are not batched complete in the answer. A batched one is PENDING until the scheduled batch runs: a credit holds its amount at
once, so that nothing else spends it; a debit collects at batch time, and fails if the money is not there then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransferType:
    """`holds`: the amount leaves the available balance when the transfer is accepted, not when the batch runs."""

    name: str
    batched: bool = False
    holds: bool = False


TRANSFER_TYPES: Mapping[str, TransferType] = {
    "rtp": TransferType("Real-time transfer"),
    "wire_domestic": TransferType("Domestic wire"),
    "ach_credit": TransferType("ACH credit", batched=True, holds=True),
    "ach_debit": TransferType("ACH debit", batched=True),
}
