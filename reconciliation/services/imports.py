"""Importing a statement: a file is applied whole, once, or not at all; a line is kept once, whichever file brought it.

The same file again changes nothing. A longer file of the same day adds its new lines. A file that says something else about a line that
is already known is refused: a provider that corrects itself is for a person to look at.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from django.db import connection
from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.ids import new_id
from merchants.models import ProviderAccount
from reconciliation.models import Statement, StatementFile, StatementState
from reconciliation.parsers.base import RefusedFile, StatementReader, Totals
from reconciliation.services.locks import hold, patient
from reconciliation.sources import SOURCES

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file; look at `statement.state` first."""

    statement: Statement
    repeated: bool = False  # it had been imported before


def statement_import(
    *,
    content: bytes,
    provider: str,
    account: ProviderAccount | None,
    live: bool,
    day: date,
    actor: Actor,
    now: datetime,
) -> Imported:
    """Take in the file of `day` (the provider's), of one account or (None) of all of this mode.

    A file that is not as declared is kept as REFUSED with the reasons and applies nothing. Raises KeyError for a provider without
    statements.
    """
    digest = hashlib.sha256(content).digest()
    with database.atomic(durable=True):
        patient()
        hold(f"statement:{provider}")
        statement = Statement.objects.filter(
            provider=provider, provider_account=account, live=live, sha256=digest
        ).first()
        if statement is not None and statement.state == StatementState.IMPORTED:
            Statement.objects.filter(pk=statement.pk).update(received_at=now)  # still all that happened in that day
            return Imported(statement, repeated=True)
        if statement is None:
            statement = Statement(id=new_id("stm"), provider=provider, provider_account=account, live=live)
        statement.day, statement.sha256, statement.received_at = day, digest, now
        try:
            with database.atomic():
                _apply(statement, content, account, now)
        except RefusedFile as exc:
            statement.state, statement.reason, statement.imported_at = StatementState.REFUSED, str(exc), None
            statement.line_count = statement.new_line_count = 0
            statement.amount_total = statement.fee_total = statement.net_total = 0
            statement.save()
        StatementFile.objects.get_or_create(
            statement=statement, defaults={"compressed": zlib.compress(content), "size": len(content)}
        )
        record_action(
            actor=actor,
            action=f"statement.{statement.state.lower()}",
            subject_type="statement",
            subject_id=statement.pk,
            merchant_id=account.merchant_id if account else "",
            reason=statement.reason[:500],
            changes={"day": day.isoformat(), "lines": statement.line_count, "newLines": statement.new_line_count},
            now=now,
        )
    log.info(
        "statement.taken_in",
        statement=statement.pk,
        provider=provider,
        day=day.isoformat(),
        state=statement.state,
        new_lines=statement.new_line_count,
    )
    return Imported(statement)


def _apply(statement: Statement, content: bytes, account: ProviderAccount | None, now: datetime) -> None:
    """Write the statement and those of its lines that are new. Raises RefusedFile."""
    totals = _copy(statement, content, account)
    statement.state, statement.reason, statement.imported_at = StatementState.IMPORTED, "", now
    statement.line_count = totals.lines
    statement.amount_total, statement.fee_total, statement.net_total = totals.amount, totals.fee, totals.net
    statement.save()
    with connection.cursor() as cursor:
        cursor.execute(_CONTRADICTIONS, {"provider": statement.provider})
        contradictions = cursor.fetchall()
        if contradictions:
            raise RefusedFile(*(_contradiction(*row) for row in contradictions))
        cursor.execute(_APPLY, {"statement": statement.pk, "provider": statement.provider, "live": statement.live})
        statement.new_line_count = cursor.rowcount
        cursor.execute("DROP TABLE incoming_line")
    statement.save(update_fields=["new_line_count"])


def _copy(statement: Statement, content: bytes, account: ProviderAccount | None) -> Totals:
    """Stream the file's lines into a temporary table. Raises RefusedFile."""
    reader = StatementReader(
        content,
        SOURCES[statement.provider].format,
        day=statement.day,
        account_key=account.account_key if account else None,
    )
    seen: dict[tuple[str, str, str], int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        with cursor.copy("COPY incoming_line FROM STDIN") as copy:
            for line in reader:
                key = (line.account_key, line.type, line.provider_reference)
                occurrence = seen[key] = seen.get(key, 0) + 1
                copy.write_row(
                    (
                        line.number,
                        line.account_key,
                        line.type,
                        line.provider_reference,
                        occurrence,
                        line.our_reference,
                        line.at,
                        line.currency,
                        line.amount_minor,
                        line.fee_minor,
                        line.net_minor,
                        line.status_code,
                    )
                )
        cursor.execute("ANALYZE incoming_line")
    return reader.totals


def _contradiction(number: int, reference: str, other_number: int, other: str) -> str:
    return f"line {number}: says something else of {reference} than line {other_number} of {other}"


_INCOMING = """
CREATE TEMPORARY TABLE incoming_line (
    number integer, account_key text, type text, provider_reference text, occurrence integer, our_reference text,
    at timestamptz, currency text, amount_minor bigint, fee_minor bigint, net_minor bigint, status_code text
) ON COMMIT DROP
"""

_CONTRADICTIONS = """
SELECT i.number, i.provider_reference, l.number, l.statement_id
FROM incoming_line i
JOIN statement_line l ON l.provider = %(provider)s AND l.account_key = i.account_key AND l.type = i.type
    AND l.provider_reference = i.provider_reference AND l.occurrence = i.occurrence
WHERE (l.our_reference, l.at, l.currency, l.amount_minor, l.fee_minor, l.status_code)
    <> (i.our_reference, i.at, i.currency, i.amount_minor, i.fee_minor, i.status_code)
ORDER BY i.number LIMIT 20
"""

# In the order of the file, so that ids, and with them the choice among lines that look alike, follow it.
_APPLY = """
INSERT INTO statement_line (statement_id, number, provider, account_key, provider_account_id, type, provider_reference,
                            occurrence, our_reference, at, currency, amount_minor, fee_minor, net_minor, status_code)
SELECT %(statement)s, i.number, %(provider)s, i.account_key, a.id, i.type, i.provider_reference,
       i.occurrence, i.our_reference, i.at, i.currency, i.amount_minor, i.fee_minor, i.net_minor, i.status_code
FROM incoming_line i
LEFT JOIN provider_account a ON a.provider = %(provider)s AND a.live = %(live)s AND a.account_key = i.account_key
ORDER BY i.number
ON CONFLICT DO NOTHING
"""
