"""The merchants that this sandbox knows, with the secrets that it gave them. Written once, never changed."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from sandbox.clock import utc_now
from sandbox.store import store


def account_open(*, provider: str, account_id: str, details: Mapping[str, str]) -> bool:
    """False, and nothing was opened, if there is one with this id."""
    with store().write() as db:
        opened = db.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (provider, account_id, orjson.dumps(dict(details)).decode(), utc_now().isoformat()),
        )
        return opened.rowcount == 1


def account_details(*, provider: str, account_id: str) -> dict[str, str]:
    """Raises LookupError for an account that was never opened."""
    row = (
        store()
        .read()
        .execute("SELECT details FROM accounts WHERE provider = ? AND id = ?", (provider, account_id))
        .fetchone()
    )
    if row is None:
        raise LookupError(account_id)
    details: dict[str, str] = orjson.loads(row["details"])
    return details
