"""MIGS in the shared flows: its transaction numbers, fees and callback."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from common.money import Money
from sandbox.accounts import account_details
from sandbox.migs.hashing import signed
from sandbox.migs.messages import result
from sandbox.peer import Callback, Peer
from sandbox.records import Entry, Kind, Order


class MigsPeer(Peer):
    code = "migs"

    def number(self, *, entry_id: int, at: datetime) -> str:
        return str(2_000_000_000 + entry_id)

    def fee_minor(self, amount: Money, request: Mapping[str, str]) -> int:
        return (amount.minor * 150 + 5_000) // 10_000  # 1.5 %, half up

    def callback(self, order: Order, entry: Entry) -> Callback:
        account = account_details(provider="migs", account_id=order.account)
        body = urlencode(signed(result(order.account, entry), account["secureSecret"]))
        return Callback(url=account["notifyUrl"], body=body, expects="")


PEER = MigsPeer()


def opening_kind(account: Mapping[str, str]) -> Kind:
    """What `pay` is on this account."""
    return Kind.AUTHORISATION if account["mode"] == "authorise" else Kind.CHARGE
