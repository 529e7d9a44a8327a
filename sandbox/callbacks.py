"""Messages to the merchant: durable rows, sent in the background until they are acknowledged or have been tried often enough.

The messages of one order go out one after the other, in the order in which they were written.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from sandbox import settings
from sandbox.peer import Callback
from sandbox.store import store

logger = logging.getLogger("sandbox.callbacks")

_TIMEOUT_SECONDS = 10
_SENDERS = 16
_news = threading.Event()
_sessions = threading.local()


def queue(db: sqlite3.Connection, *, order_id: int, messages: list[Callback], held: bool = False) -> list[int]:
    """Write the messages inside the open transaction `db`; `held` leaves their first try to the caller. Returns the row ids."""
    due_at = time.time() + (2 * _TIMEOUT_SECONDS if held else 0)
    return [
        db.execute(
            "INSERT INTO callbacks (order_id, url, body, expects, due_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (order_id, message.url, message.body, message.expects, due_at),
        ).fetchone()[0]
        for message in messages
    ]


def wake() -> None:
    """Rows were committed: look now instead of at the next tick."""
    _news.set()


def deliver(row_id: int) -> None:
    """Try one message once and write down what came of it."""
    row = store().read().execute("SELECT * FROM callbacks WHERE id = ? AND state = 'waiting'", (row_id,)).fetchone()
    if row is None:
        return
    answer = _post(row["url"], row["body"], row["expects"])
    if answer == "":
        state = "delivered"
    else:
        state = "given_up" if row["tries"] + 1 >= settings.CALLBACK_TRIES else "waiting"
        logger.info("callback %s to %s: %s (try %s, %s)", row_id, row["url"], answer, row["tries"] + 1, state)
    with store().write() as db:
        db.execute(
            "UPDATE callbacks SET state = ?, tries = tries + 1, due_at = ? WHERE id = ?",
            (state, time.time() + settings.CALLBACK_RETRY_SECONDS, row_id),
        )


def start() -> None:
    """Start the background sender of this process; it goes on with what an earlier process left."""
    threading.Thread(target=_run, name="callbacks", daemon=True).start()


def _run() -> None:
    in_flight: set[int] = set()  # order ids; only this thread adds, the senders take away

    def send(row_id: int, order_id: int) -> None:
        try:
            deliver(row_id)
        except Exception:  # one message must not end the thread that sends all others; the row stays and is tried again
            logger.exception("callback failed")
        finally:
            in_flight.discard(order_id)
            _news.set()

    with ThreadPoolExecutor(max_workers=_SENDERS, thread_name_prefix="callback") as pool:
        while True:
            _news.clear()
            for row_id, order_id in _due():
                if order_id not in in_flight:
                    in_flight.add(order_id)
                    pool.submit(send, row_id, order_id)
            _news.wait(timeout=0.25)


def _due() -> list[tuple[int, int]]:
    rows = (
        store()
        .read()
        .execute(
            "SELECT id, order_id FROM callbacks AS c WHERE state = 'waiting' AND due_at <= ? AND NOT EXISTS (SELECT 1 FROM callbacks"
            " AS earlier WHERE earlier.order_id = c.order_id AND earlier.state = 'waiting' AND earlier.id < c.id)"
            " ORDER BY due_at LIMIT 200",
            (time.time(),),
        )
    )
    return [(row["id"], row["order_id"]) for row in rows]


def _post(url: str, body: str, expects: str) -> str:
    """Send one message. Returns "" when it was acknowledged, else what was wrong."""
    session: requests.Session | None = getattr(_sessions, "session", None)
    if session is None:
        session = _sessions.session = requests.Session()
        session.trust_env = False
    try:
        response = session.post(
            url,
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as exc:
        return type(exc).__name__
    if response.status_code != 200:
        return f"HTTP {response.status_code}"
    return "" if not expects or response.text.strip() == expects else "not acknowledged"
