"""The test amount 5.00 of our server-to-server calls: HTTP 500 before acting, for the first two tries of a reference."""

from __future__ import annotations

from sandbox.store import store

TIMES = 2


def turn_away(*, provider: str, account: str, reference: str) -> bool:
    """Count this try. True if it has to be turned away."""
    with store().write() as db:
        times: int = db.execute(
            "INSERT INTO turned_away VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
            (provider, account, reference),
        ).fetchone()[0]
    return times <= TIMES
