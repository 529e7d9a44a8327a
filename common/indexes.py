"""Indexes that nobody reads, as a migration operation.

Beside every key and unique or indexed column of text Django makes a second index, for `LIKE 'prefix%'`. Ids, references and names of ledger accounts are
looked up whole, so on tables where every payment writes such an index only costs: time, disk and write-ahead log.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AlterField
from django.db.migrations.operations.base import Operation

_FIND = """
    SELECT DISTINCT i.indexrelid::regclass::text FROM pg_index i JOIN pg_opclass o ON o.oid = ANY (i.indclass)
    WHERE i.indrelid = ANY (%s::regclass[]) AND o.opcname IN ('varchar_pattern_ops', 'text_pattern_ops')
    AND i.indexprs IS NULL ORDER BY 1"""  # one of an expression is a search's, asked for by name


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
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_FIND, [list(self.tables)])
            found = [name for (name,) in cursor.fetchall()]
            for name in found:
                cursor.execute(f"DROP INDEX {_beside(schema_editor)}IF EXISTS {name}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Nobody misses them."""

    def describe(self) -> str:
        return f"Drop the indexes for prefixes of {', '.join(self.tables)}"


class WithoutForeignKeyIndex(AlterField):
    """Drop the index that Django made for a foreign key, or make it again, beside whatever is writing there.

    For a key with which another index of all rows begins; the `field` has db_index=False.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        name, _ = self._index(schema_editor, to_state.apps.get_model(app_label, self.model_name))
        schema_editor.execute(f"DROP INDEX {_beside(schema_editor)}IF EXISTS {name}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        name, columns = self._index(schema_editor, to_state.apps.get_model(app_label, self.model_name))
        schema_editor.execute(f"CREATE INDEX {_beside(schema_editor)}IF NOT EXISTS {name} ON {columns}")

    def _index(self, schema_editor: Any, model: Any) -> tuple[str, str]:
        quote = schema_editor.connection.ops.quote_name
        table, column = model._meta.db_table, model._meta.get_field(self.name).column
        name = schema_editor._create_index_name(table, [column], suffix="")
        return quote(name), f"{quote(table)} ({quote(column)})"


def _beside(schema_editor: Any) -> str:
    return "" if schema_editor.connection.in_atomic_block else "CONCURRENTLY "
