"""A load generator: keep-alive connections over loopback, bounded in time, latencies kept. Pure asyncio, one process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What one run of load saw. Latencies in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def drive(*, host: str, port: int, connections: int, seconds: float, request: Callable[[int], bytes]) -> Outcome:
    """Send `request(n)` with a fresh n on each connection, again as soon as it is answered, for `seconds`."""
    return asyncio.run(_drive(host, port, connections, seconds, request))


async def _drive(host: str, port: int, connections: int, seconds: float, request: Callable[[int], bytes]) -> Outcome:
    outcome, numbers = Outcome(), iter(range(1 << 60))
    streams = []
    for begin in range(0, connections, 100):  # opened in steps: the test is of open connections, not of a burst of SYNs
        streams += await asyncio.gather(
            *(asyncio.open_connection(host, port) for _ in range(min(100, connections - begin)))
        )
    began = time.perf_counter()
    await asyncio.gather(*(_one(r, w, outcome, numbers, began + seconds, request) for r, w in streams))
    outcome.seconds = time.perf_counter() - began
    return outcome


async def _one(reader, writer, outcome, numbers, until, request) -> None:  # type: ignore[no-untyped-def]
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request(next(numbers)))
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await (reader.readexactly(lengths[0]) if lengths else reader.readuntil(b"0\r\n\r\n"))  # else chunked
            outcome.latencies.append(time.perf_counter() - began)
            outcome.statuses[int(head[9:12])] += 1
    except (OSError, asyncio.IncompleteReadError) as exc:
        outcome.errors[type(exc).__name__] += 1
    finally:
        writer.close()
