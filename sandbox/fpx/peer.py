"""FPX in the shared flows: its transaction numbers, fees and callback."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from common.money import Money
from sandbox.accounts import account_details
from sandbox.clock import compact
from sandbox.fpx.keys import signed
from sandbox.fpx.messages import ac
from sandbox.peer import Callback, Peer
from sandbox.records import Entry, Order


class FpxPeer(Peer):
    code = "fpx"

    def number(self, *, entry_id: int, at: datetime) -> str:
        return f"{compact(at)[2:12]}{entry_id:08d}"

    def fee_minor(self, amount: Money, request: Mapping[str, str]) -> int:
        return 100 if request.get("fpx_msgToken") == "02" else 50

    def callback(self, order: Order, entry: Entry) -> Callback:
        account = account_details(provider="fpx", account_id=order.account)
        body = urlencode(signed(ac(order.request, entry), account["signatureHash"]))
        return Callback(url=account["directUrl"], body=body, expects="OK")


PEER = FpxPeer()
