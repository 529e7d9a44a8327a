"""The lines of a file on their way in: copied into a temporary table, compared with what is known, and the new ones kept.

Both sides of a statement work the same way, with other columns: a provider's lines become `statement_line`, a bank's `bank_line`.
"""

# ruff: noqa: S608 -- every statement is put together here from constants of this module; values are parameters
from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

_LINE = {
    "account_key": "text",
    "type": "text",
    "provider_reference": "text",
    "our_reference": "text",
    "at": "timestamptz",
    "currency": "text",
    "amount_minor": "bigint",
    "fee_minor": "bigint",
    "net_minor": "bigint",
    "status_code": "text",
}
_ENTRY = {
    "account_key": "text",
    "reference": "text",
    "end_to_end_id": "text",
    "narrative": "text",
    "counterparty": "text",
    "type_code": "text",
    "reversal": "boolean",
    "booked_on": "date",
    "value_on": "date",
    "currency": "text",
    "amount_minor": "bigint",
    "charges_minor": "bigint",
    "instructed_currency": "text",
    "instructed_minor": "bigint",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How one side's lines are kept."""

    create: str
    copy: str
    row: Callable[[Any], tuple[Any, ...]]
    names: tuple[str, ...]  # of the columns that say, with the occurrence, which line it is
    key: Callable[[Any], Hashable]  # their values
    twins: str  # numbers lines of the same key; in the database, because a file has too many keys to hold
    apart: str  # numbers them on behind what files of %(others)s have under that key, which are other entries (services.sequels)
    contradictions: str
    apply: str


def _kept(table: str, columns: dict[str, str], key: tuple[str, ...], account_column: bool) -> Kept:
    names = tuple(columns)
    said = [name for name in names if name not in key]
    same = " AND ".join(f"l.{name} = i.{name}" for name in key)
    listed = ", ".join(names)
    listed_key = ", ".join(f"l.{name}" for name in key)
    account, joined = (
        (
            "provider_account_id, ",
            "LEFT JOIN provider_account a ON a.provider = %(provider)s AND a.live = %(live)s AND a.account_key = i.account_key",
        )
        if account_column
        else ("", "")
    )

    def row(line: Any) -> tuple[Any, ...]:
        return (line.number, *[getattr(line, name) for name in names])

    def key_of(line: Any) -> Hashable:
        return tuple(getattr(line, name) for name in key)

    return Kept(
        create=f"""CREATE TEMPORARY TABLE incoming_line (number integer, occurrence integer NOT NULL DEFAULT 1,
            {", ".join(f"{name} {type_}" for name, type_ in columns.items())}) ON COMMIT DROP""",
        copy=f"COPY incoming_line (number, {listed}) FROM STDIN",
        row=row,
        names=key,
        key=key_of,
        twins=f"""
            UPDATE incoming_line i SET occurrence = t.occurrence
            FROM (SELECT number, row_number() OVER (PARTITION BY {", ".join(key)} ORDER BY number) AS occurrence
                  FROM incoming_line
                  WHERE ({", ".join(key)}) IN (SELECT {", ".join(key)} FROM incoming_line
                                               GROUP BY {", ".join(key)} HAVING count(*) > 1)) t
            WHERE t.number = i.number AND t.occurrence > 1""",
        apart=f"""
            WITH known AS (
                SELECT {listed_key}, l.occurrence,
                       (l.statement_id, l.account_key) IN (SELECT * FROM unnest(%(others)s::text[], %(accounts)s::text[])) AS other
                FROM {table} l
                WHERE l.provider = %(provider)s AND ({listed_key}) IN (SELECT {", ".join(key)} FROM incoming_line)
            ), alike AS (
                SELECT {", ".join(key)}, occurrence, row_number() OVER (PARTITION BY {", ".join(key)} ORDER BY occurrence) AS place
                FROM known WHERE NOT other
            ), taken AS (
                SELECT {", ".join(key)}, max(occurrence) AS most, count(*) FILTER (WHERE NOT other) AS alike
                FROM known GROUP BY {", ".join(key)} HAVING bool_or(other)
            )
            UPDATE incoming_line i SET occurrence = coalesce(
                (SELECT l.occurrence FROM alike l WHERE {same} AND l.place = i.occurrence), t.most + i.occurrence - t.alike)
            FROM taken t WHERE {same.replace("l.", "t.")}""",
        contradictions=f"""
            SELECT i.number, i.{key[1]}, l.number, l.statement_id
            FROM incoming_line i
            JOIN {table} l ON l.provider = %(provider)s AND {same} AND l.occurrence = i.occurrence
            WHERE ({", ".join(f"l.{name}" for name in said)}) IS DISTINCT FROM ({", ".join(f"i.{name}" for name in said)})
            ORDER BY i.number LIMIT 20""",
        # In the order of the file, so that ids, and with them the choice among lines that look alike, follow it.
        apply=f"""
            INSERT INTO {table} (statement_id, number, provider, occurrence, {account}{listed})
            SELECT %(statement)s, i.number, %(provider)s, i.occurrence, {"a.id, " if account_column else ""}{", ".join(f"i.{n}" for n in names)}
            FROM incoming_line i {joined}
            ORDER BY i.number
            ON CONFLICT DO NOTHING""",
    )


LINES = _kept("statement_line", _LINE, ("account_key", "provider_reference", "type"), account_column=True)
ENTRIES = _kept("bank_line", _ENTRY, ("account_key", "reference", "booked_on"), account_column=False)
