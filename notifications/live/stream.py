"""A stream is a cursor: what it gets is "the facts after the last one seen", whether they are history or happen now.

It holds at most one page of events. Until its client has taken them it is asked nothing more, so a slow client costs no memory, and
one that takes nothing for a while is let go: it comes back with the id of the last event it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

Event = tuple[int, bytes]  # the fact's sequence and what is sent of it


class Stream:
    """One client's view of one transaction."""

    __slots__ = ("_pending", "_wake", "credential", "ended", "merchant_id", "seen", "transaction_id")

    def __init__(self, *, transaction_id: str, merchant_id: str, credential: str, seen: int) -> None:
        self.transaction_id = transaction_id
        self.merchant_id = merchant_id
        self.credential = credential  # the API key or session that it was opened with
        self.seen = seen
        self.ended = False
        self._pending: list[bytes] = []
        self._wake = asyncio.Event()

    @property
    def hungry(self) -> bool:
        """Whether the client has taken everything."""
        return not self._pending

    def give(self, events: Iterable[Event]) -> None:
        """Events in order, from the first after `seen` or earlier, without a gap. What has been seen is left out."""
        for sequence, event in events:
            if sequence > self.seen:
                self.seen = sequence
                self._pending.append(event)
        if self._pending:
            self._wake.set()

    def end(self) -> None:
        self.ended = True
        self._wake.set()

    async def take(self, *, seconds: float) -> bytes:
        """What there is, as soon as there is something; b"" after so many seconds, or at the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return b""
        self._wake.clear()
        taken = b"".join(self._pending)
        self._pending.clear()
        return taken
