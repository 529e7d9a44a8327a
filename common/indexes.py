"""Indexes that nobody reads, as a migration operation.

Beside every key and unique or indexed column of text Django makes a second index, for `LIKE 'prefix%'`. Ids, references and names of ledger accounts are
looked up whole, so on tables where every payment writes such an index only costs: time, disk and write-ahead log.
"""

from __future__ import annotations

from django.db.migrations import RunSQL


def without_prefix_indexes(*tables: str) -> RunSQL:
    """Drop the indexes for prefixes of these tables. Not brought back by the reverse, which Django's own migrations do not miss."""
    names = ", ".join(f"'{table}'::regclass" for table in tables)
    return RunSQL(
        f"""
        DO $$ DECLARE found regclass; BEGIN
            FOR found IN SELECT DISTINCT i.indexrelid::regclass FROM pg_index i JOIN pg_opclass o ON o.oid = ANY (i.indclass)
                         WHERE i.indrelid IN ({names}) AND o.opcname IN ('varchar_pattern_ops', 'text_pattern_ops') LOOP
                EXECUTE format('DROP INDEX %s', found);
            END LOOP;
        END $$;
        """,  # noqa: S608 -- names of our own tables
        RunSQL.noop,
    )
