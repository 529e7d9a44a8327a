"""The banks of this FPX: names of the trade, codes of our own. TEST0001 to TEST0003 always do the same."""

from __future__ import annotations

from typing import NamedTuple


class Bank(NamedTuple):
    name: str
    online: bool = True


_TEST = {
    "TEST0001": Bank("Test bank: always pays"),
    "TEST0002": Bank("Test bank: always declines"),
    "TEST0003": Bank("Test bank: never answers"),
}
PERSONAL = {
    "MERA0101": Bank("Bank Merantau"),
    "PERD0102": Bank("Perdana Bank"),
    "SELA0103": Bank("Selat Bank"),
    "KINA0104": Bank("Kinabalu Bank"),
    "TIMU0105": Bank("Bank Timur"),
    "RAKA0106": Bank("Rakan Bank"),
    "ISLA0107": Bank("Bank Islah"),
    "NUSA0108": Bank("Nusajaya Bank", online=False),
    "LANG0109": Bank("Langkawi Bank"),
    "PADI0110": Bank("Agro Padi Bank"),
    "MUTI0111": Bank("Mutiara Savings"),
    "SERI0112": Bank("Seri Bank", online=False),
    **_TEST,
}
BUSINESS = {
    "MERA0201": Bank("Bank Merantau Corporate"),
    "PERD0202": Bank("Perdana Business"),
    "KINA0204": Bank("Kinabalu Corporate"),
    "SELA0203": Bank("Selat Business", online=False),
    **_TEST,
}


def banks_of(message_token: str) -> dict[str, Bank]:
    """The list for `fpx_msgToken`: 01 people, 02 companies."""
    return BUSINESS if message_token == "02" else PERSONAL  # noqa: S105  (a message type, no secret)
