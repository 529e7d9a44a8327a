"""What the shared flows need to know of one provider."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from common.money import Money
from sandbox.records import Entry, Order


@dataclass(frozen=True, slots=True)
class Callback:
    """A signed form post to the merchant, repeated until it is answered with HTTP 200 and the body `expects` ("" = any)."""

    url: str
    body: str
    expects: str


class Peer(ABC):
    code: ClassVar[str]

    @abstractmethod
    def number(self, *, entry_id: int, at: datetime) -> str:
        """The provider's own id of an entry."""

    @abstractmethod
    def fee_minor(self, amount: Money, request: Mapping[str, str]) -> int:
        """What the provider keeps of a charge or capture that `request` asked for."""

    @abstractmethod
    def callback(self, order: Order, entry: Entry) -> Callback:
        """The message to the merchant that says how `order` ended."""
