"""Indexes that nobody reads, as a migration operation.

Beside every key and unique or indexed column of text Django makes a second index, for `LIKE 'prefix%'`. Ids, references and names of ledger accounts are
looked up whole, so on tables where every payment writes such an index only costs: time, disk and write-ahead log.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation

_FIND = """
    SELECT DISTINCT i.indexrelid::regclass::text FROM pg_index i JOIN pg_opclass o ON o.oid = ANY (i.indclass)
    WHERE i.indrelid = ANY (%s::regclass[]) AND o.opcname IN ('varchar_pattern_ops', 'text_pattern_ops') ORDER BY 1"""


class WithoutPrefixIndexes(Operation):
    """Drop the indexes for prefixes of `tables`, in a migration that is not atomic beside whatever is writing there.

    Not brought back by the reverse, which Django's own migrations do not miss.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, *tables: str) -> None:
        self.tables = tables

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django does not know of them."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        beside = "" if connection.in_atomic_block else "CONCURRENTLY "
        with connection.cursor() as cursor:
            cursor.execute(_FIND, [list(self.tables)])
            found = [name for (name,) in cursor.fetchall()]
            for name in found:
                cursor.execute(f"DROP INDEX {beside}IF EXISTS {name}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Nobody misses them."""

    def describe(self) -> str:
        return f"Drop the indexes for prefixes of {', '.join(self.tables)}"
