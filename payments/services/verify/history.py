"""Every change left its fact and its audit record, only listed moves were made, and history cannot be rewritten."""

from __future__ import annotations

from collections.abc import Iterable

from common.books import Asked, Found, check, query
from payments.states import PAYMENT_MOVES, TRANSACTION_MOVES


@check
def every_version_has_its_fact(asked: Asked) -> Found:
    """The facts of a transaction or account are numbered 1 to its version, without a gap."""
    return _numbered("facts", "fact", "sequence")


@check
def every_version_has_its_audit_record(asked: Asked) -> Found:
    """The audit records of a transaction's or account's changes are numbered 1 to its version, without a gap."""
    return _numbered("audit records", "audit_record", "version")


def _numbered(word: str, table: str, number: str) -> Found:
    return query(
        examined=f"{table} WHERE subject_type IN ('transaction', 'account') AND {number} IS NOT NULL",
        violations=f"""
            WITH numbers AS (
                SELECT subject_type, subject_id, count(*) AS count, min({number}) AS first, max({number}) AS last
                FROM {table} WHERE subject_type IN ('transaction', 'account') AND {number} IS NOT NULL
                GROUP BY subject_type, subject_id
            ), subject AS (
                SELECT 'transaction' AS subject_type, id AS subject_id, version FROM transaction
                UNION ALL SELECT 'account', id, version FROM account
            )
            SELECT concat(subject_type, ' ', subject_id, ' is at version ', coalesce(s.version::text, 'none'),
                          ' and has ', coalesce(n.count, 0), ' {word}, ', n.first, ' to ', n.last)
            FROM subject s FULL JOIN numbers n USING (subject_type, subject_id)
            WHERE (s.version, 1, s.version) IS DISTINCT FROM (n.count, n.first, n.last)""",  # noqa: S608 -- constants
    )


@check
def facts_and_audit_records_tell_the_same(asked: Asked) -> Found:
    """The fact and the audit record of one version have the same name."""
    return query(
        examined="fact",
        violations="""
            SELECT concat(f.subject_type, ' ', f.subject_id, ' version ', f.sequence, ': fact ', f.name, ', audit record ', r.action)
            FROM fact f JOIN audit_record r ON r.subject_id = f.subject_id AND r.version = f.sequence
            WHERE r.action <> f.name""",
    )


@check
def only_listed_moves_were_made(asked: Asked) -> Found:
    """Every recorded change of a status or a payment's state is one that the table of moves has."""
    return query(
        examined="audit_record WHERE changes ?| ARRAY['status', 'payment_state']",
        violations="""
            SELECT concat(r.subject_type, ' ', r.subject_id, ' went from ', change.before, ' to ', change.after, ' in version ',
                          r.version)
            FROM audit_record r CROSS JOIN LATERAL (VALUES
                (r.changes #>> '{status,0}', r.changes #>> '{status,1}', %(transaction_moves)s::text[]),
                (r.changes #>> '{payment_state,0}', r.changes #>> '{payment_state,1}', %(payment_moves)s::text[])
            ) AS change (before, after, moves)
            WHERE r.subject_type = 'transaction' AND change.before IS NOT NULL
                AND NOT change.before || '>' || change.after = ANY (change.moves)""",
        transaction_moves=_pairs(TRANSACTION_MOVES),
        payment_moves=_pairs(PAYMENT_MOVES),
    )


def _pairs(moves: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(f"{before}>{after}" for before, after in moves)


@check
def the_recorded_status_is_the_present_one(asked: Asked) -> Found:
    """A transaction's status is the last one that its audit records tell of: nobody changed it past them."""
    return query(
        examined="transaction",
        violations="""
            SELECT concat('transaction ', t.id, ' is ', t.status, ', the last audit record made it ', last.status)
            FROM transaction t JOIN (
                SELECT DISTINCT ON (subject_id) subject_id, changes #>> '{status,1}' AS status
                FROM audit_record WHERE subject_type = 'transaction' AND version IS NOT NULL AND changes ? 'status'
                ORDER BY subject_id, version DESC
            ) last ON last.subject_id = t.id
            WHERE last.status <> t.status""",
    )


@check
def facts_are_published(asked: Asked) -> Found:
    """No fact has waited longer than allowed to be published."""
    return query(
        examined="fact",
        violations="""
            SELECT concat(name, ' ', id, ' of ', created_at, ' is still not published')
            FROM fact WHERE published_at IS NULL AND created_at < %(before)s ORDER BY created_at""",
        before=asked.now - asked.unpublished_for,
    )


@check
def history_is_protected(asked: Asked) -> Found:
    """The triggers that keep books and audit log append-only are there, and no trigger of ours is switched off."""
    return query(
        examined="pg_trigger WHERE NOT tgisinternal",
        violations="""
            SELECT concat('trigger ', wanted.name, ' is not there')
            FROM (
                SELECT concat(t.name, kind.name) AS name
                FROM unnest(%(tables)s::text[]) AS t (name), unnest(ARRAY['_append_only', '_no_truncate']) AS kind (name)
            ) wanted
            WHERE wanted.name NOT IN (SELECT tgname FROM pg_trigger)
            UNION ALL
            SELECT concat('trigger ', tgname, ' on ', tgrelid::regclass, ' is switched off')
            FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A'""",
        tables=["journal_entry", "posting", "audit_record", "audit_link", "transfer_run_item"],
    )
