"""The banks of this FPX: names of the trade, codes of our own. TEST0001 to TEST0003 always do the same."""

from __future__ import annotations

BANKS: dict[str, tuple[str, bool]] = {
    "MERA0101": ("Bank Merantau", True),
    "PERD0102": ("Perdana Bank", True),
    "SELA0103": ("Selat Bank", True),
    "KINA0104": ("Kinabalu Bank", True),
    "TIMU0105": ("Bank Timur", True),
    "RAKA0106": ("Rakan Bank", True),
    "ISLA0107": ("Bank Islah", True),
    "NUSA0108": ("Nusajaya Bank", False),
    "LANG0109": ("Langkawi Bank", True),
    "PADI0110": ("Agro Padi Bank", True),
    "MUTI0111": ("Mutiara Savings", True),
    "SERI0112": ("Seri Bank", False),
    "TEST0001": ("Test bank: always pays", True),
    "TEST0002": ("Test bank: always declines", True),
    "TEST0003": ("Test bank: never answers", True),
}
BUSINESS: dict[str, tuple[str, bool]] = {
    "MERA0201": ("Bank Merantau Corporate", True),
    "PERD0202": ("Perdana Business", True),
    "KINA0204": ("Kinabalu Corporate", True),
    "SELA0203": ("Selat Business", False),
    **{code: bank for code, bank in BANKS.items() if code.startswith("TEST")},
}


def banks_of(message_token: str) -> dict[str, tuple[str, bool]]:
    """The list for `fpx_msgToken`: 01 people, 02 companies."""
    return BUSINESS if message_token == "02" else BANKS  # noqa: S105  (a message type, no secret)
