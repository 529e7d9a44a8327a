"""Importing a statement: a file is taken in once; a line is kept once, whichever file brought it; nothing is dropped.

The same file again changes nothing. A longer file of the same day adds its new lines. A file that is not what was declared, or that does not
add up, is kept as refused and applies nothing; so is one that is a page of several, until all are there; so is one that says something else about a line that is known: a provider that corrects
itself is for a person to look at. A single line that cannot be read is quarantined. All that a file brings is one database transaction.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, BinaryIO

import structlog
from django.db import IntegrityError, connection
from django.db import transaction as database

from common.audit import record_action
from common.changes import Actor
from common.crashpoints import crashpoint
from common.database import constraint_of
from common.ids import new_id
from merchants.models import ProviderAccount
from reconciliation.models import (
    BankBalance,
    Controls,
    QuarantinedLine,
    Side,
    Source,
    Statement,
    StatementFile,
    StatementFileChunk,
    StatementState,
)
from reconciliation.parsers.base import Item, Reader, RefusedFile, Unread
from reconciliation.parsers.bytes import Fingerprint, fingerprint, pieces
from reconciliation.services.incoming import ENTRIES, LINES, Kept
from reconciliation.services.locks import hold, patient
from reconciliation.services.pages import files_of, pages_move, pages_replace, pages_with
from reconciliation.services.readers import Expected, open_pages, open_reader, table_of
from reconciliation.services.remittances import remittances_announce
from reconciliation.services.sequels import Span, other_statements
from reconciliation.services.staging import Staged, stage
from reconciliation.services.staging import keep as keep_staged
from reconciliation.sources import zone_of

log = structlog.get_logger(__name__)

_TELL_EVERY = 10_000
Progress = Callable[[int, int], None]  # (bytes read, bytes of the file)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file; look at `statement.state` first."""

    statement: Statement
    repeated: bool = False  # it had been imported before


def statement_import(
    *,
    content: bytes | BinaryIO,
    provider: str,
    account: ProviderAccount | None,
    live: bool,
    day: date | None,
    actor: Actor,
    now: datetime,
    name: str = "",
    progress: Progress = lambda done, size: None,
) -> Imported:
    """Take in a file of the source `provider`: of its `day`, of one account or (None) of all of this mode.

    `content` is read where it lies, never held whole; it has to be a file that can be read from its beginning again. A bank's file needs no
    `day`: it is that of its last closing balance. A file that is not as declared is kept as REFUSED with the reasons and applies nothing.
    Raises Source.DoesNotExist, and TooLarge for a file that nobody will read.
    """
    source = Source.objects.get(pk=provider)
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    print_ = fingerprint(file)
    crashpoint("import.fingerprinted")
    with database.atomic(durable=True):
        patient()
        hold(f"statement:{provider}")
        crashpoint("import.locked")
        statement = Statement.objects.filter(
            provider=provider, provider_account=account, live=live, sha256=print_.sha256
        ).first()
        if statement is not None and statement.state == StatementState.IMPORTED:
            Statement.objects.filter(pk=statement.pk).update(received_at=now)  # still all that happened in that day
            return Imported(statement, repeated=True)
        if statement is None:
            statement = Statement(id=new_id("stm"), provider=provider, provider_account=account, live=live)
        statement.sha256, statement.received_at = print_.sha256, now
        statement.day = day or now.date()
        expected = Expected(source, live, day, account.account_key if account else None)
        pages = None
        try:
            if day is not None:
                _check_begun(day, source, now)
            pages = pages_with(statement, expected, file)
            if pages and pages.missing:
                pages_replace(pages, statement, actor, now)
                _set_aside(statement, StatementState.WAITING, pages.missing)
            else:
                with database.atomic(), ExitStack() as opened:
                    reader = open_pages(expected, files_of(pages, statement, file, opened)) if pages else None
                    _apply(statement, expected, file, print_.size, actor, now, progress, reader)
        except RefusedFile as exc:
            _set_aside(statement, StatementState.REFUSED, str(exc))
        except IntegrityError as exc:
            if not constraint_of(exc).endswith("_day_open"):
                raise
            closed = f"{statement.day} is closed: two people have to open it again first"
            _set_aside(statement, StatementState.REFUSED, closed)
        crashpoint("import.applied")
        _keep(statement, file, print_, name)
        crashpoint("import.file_kept")
        record_action(
            actor=actor,
            action=f"statement.{statement.state.lower()}",
            subject_type="statement",
            subject_id=statement.pk,
            merchant_id=account.merchant_id if account else "",
            reason=statement.reason[:500],
            changes={
                "day": statement.day.isoformat(),
                "lines": statement.line_count,
                "newLines": statement.new_line_count,
                "quarantined": statement.quarantined_count,
            },
            now=now,
        )
        if pages and statement.state == StatementState.IMPORTED:
            pages_replace(pages, statement, actor, now)
        if pages and statement.state != StatementState.REFUSED:
            pages_move(pages, statement, actor, now)
        crashpoint("import.before_commit")
    crashpoint("import.committed")
    log.info(
        "statement.taken_in",
        statement=statement.pk,
        provider=provider,
        day=statement.day.isoformat(),
        state=statement.state,
        new_lines=statement.new_line_count,
        quarantined=statement.quarantined_count,
    )
    return Imported(statement)


def _apply(
    statement: Statement,
    expected: Expected,
    file: BinaryIO,
    size: int,
    actor: Actor,
    now: datetime,
    progress: Progress,
    pages: Reader | None,
) -> None:
    """Write the statement, those of its lines that are new, what they come to, and those that could not be read. Raises RefusedFile."""
    bank = expected.source.side == Side.BANK
    unread = list[Unread]()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")  # what the rules look at once for all lines stays in memory
        reader: Reader | Staged | None = (
            None if bank else _keep_plain(cursor, statement, expected, file, size, now, progress)
        )
        if reader is None:
            reader = pages or open_reader(expected, file)
            told = _told(reader, file, size, progress)
            _keep_line_by_line(cursor, statement, expected, reader, told, unread, now)
    crashpoint("import.lines_written")
    statement.save(update_fields=["new_line_count"])
    QuarantinedLine.objects.bulk_create(
        QuarantinedLine(
            statement=statement, number=line.number, cells=list(line.cells), reason=line.reason[:500], created_at=now
        )
        for line in unread
    )
    BankBalance.objects.bulk_create(BankBalance(statement=statement, **asdict(found)) for found in reader.balances)
    crashpoint("import.quarantined")
    if not bank:
        remittances_announce(source=expected.source, statement=statement, actor=actor, now=now)
        crashpoint("import.remitted")


def _keep_plain(
    cursor: Any,
    statement: Statement,
    expected: Expected,
    file: BinaryIO,
    size: int,
    now: datetime,
    progress: Progress,
) -> Staged | None:
    """The fast way for a table in which nothing is odd and every line is new. None: it is not such a file, or not such a table."""
    format = table_of(expected.source)
    if format is None or expected.day is None:
        return None
    staged = stage(
        cursor, file, format, day=expected.day, account_key=expected.account_key, progress=progress, size=size
    )
    if staged is None:
        return None
    crashpoint("import.copied")
    with database.atomic():
        _conclude(statement, expected, staged, now)
        statement.save()
        new = keep_staged(
            cursor,
            staged,
            {
                "statement": statement.pk,
                "provider": statement.provider,
                "live": statement.live,
                "account": statement.provider_account_id,
            },
        )
        if new is None:  # what was concluded does not hold: whoever reads it line by line concludes something else
            database.set_rollback(True)
    cursor.execute("DROP TABLE raw_line")
    if new is None:
        return None
    crashpoint("import.compared")
    statement.new_line_count = new
    return staged


def _keep_line_by_line(
    cursor: Any,
    statement: Statement,
    expected: Expected,
    reader: Reader,
    told: Iterable[Item],
    unread: list[Unread],
    now: datetime,
) -> None:
    """Every kind of file: read each line, compare it with what is known, keep what is new. Raises RefusedFile."""
    kept = ENTRIES if expected.source.side == Side.BANK else LINES
    cursor.execute(kept.create)
    _copy(cursor, kept, told, unread)
    crashpoint("import.copied")
    _conclude(statement, expected, reader, now)
    statement.save()
    parameters: dict[str, Any] = {"statement": statement.pk, "provider": statement.provider, "live": statement.live}
    spans = ((x.account_key, Span(x.opened_on, x.opening_minor, x.closed_on, x.closing_minor)) for x in reader.balances)
    if others := other_statements(statement, spans):
        files = {"others": [file for file, _ in others], "accounts": [account for _, account in others]}
        cursor.execute(kept.apart, parameters | files)
    cursor.execute(kept.contradictions, parameters)
    contradictions = cursor.fetchall()
    if contradictions:
        raise RefusedFile(*(_contradiction(*row) for row in contradictions))
    crashpoint("import.compared")
    cursor.execute(kept.apply, parameters)
    statement.new_line_count = cursor.rowcount
    cursor.execute("DROP TABLE incoming_line")


def _copy(cursor: Any, kept: Kept, items: Iterable[Item], unread: list[Unread]) -> None:
    """Stream the file's lines into the temporary table; what could not be read goes to `unread`. Raises RefusedFile."""
    row = kept.row
    with cursor.copy(kept.copy) as copy:
        for item in items:
            if isinstance(item, Unread):
                unread.append(item)
            else:
                copy.write_row(row(item))
    cursor.execute("ANALYZE incoming_line")
    cursor.execute(kept.twins)


def _told(reader: Reader, file: BinaryIO, size: int, progress: Progress) -> Iterator[Item]:
    """The reader's items; `progress` hears now and then how far it is."""
    for count, item in enumerate(reader):
        if count % _TELL_EVERY == 0:
            progress(file.tell(), size)
        yield item
    progress(size, size)


def _conclude(statement: Statement, expected: Expected, reader: Reader | Staged, now: datetime) -> None:
    """What the file turned out to be."""
    found, stated = reader.totals, reader.stated
    statement.state, statement.reason, statement.imported_at = StatementState.IMPORTED, "", now
    statement.mapping_version = expected.source.mapping_version
    statement.line_count, statement.quarantined_count = found.lines + reader.unread, reader.unread
    statement.amount_total, statement.fee_total, statement.net_total = found.amount, found.fee, found.net
    statement.stated = asdict(stated) if stated else {}
    if stated is None:
        statement.controls = Controls.NONE
    else:
        statement.controls = Controls.WAITING if reader.unread else Controls.AGREED
    if reader.balances:
        closed_on = max(balance.closed_on for balance in reader.balances)
        if expected.day not in (None, closed_on):
            raise RefusedFile(f"the file is of {closed_on}, not of {expected.day}")
        _check_begun(closed_on, expected.source, now)
        statement.day = closed_on


def _check_begun(day: date, source: Source, now: datetime) -> None:
    """Nobody can say yet what happened in a day that has not begun. Raises RefusedFile."""
    if day > now.astimezone(zone_of(source)).date():
        raise RefusedFile(f"{day} has not begun at {source.name}")


def _set_aside(statement: Statement, state: StatementState, reason: str) -> None:
    """Keep it without applying anything."""
    statement.state, statement.reason, statement.imported_at = state, reason, None
    statement.line_count = statement.new_line_count = statement.quarantined_count = 0
    statement.amount_total = statement.fee_total = statement.net_total = 0
    statement.controls, statement.stated = Controls.NONE, {}
    statement.save()


def _keep(statement: Statement, file: BinaryIO, print_: Fingerprint, name: str) -> None:
    """The file as it came, unless a refusal has kept it already."""
    kept, added = StatementFile.objects.get_or_create(
        statement=statement, defaults={"size": print_.size, "name": name[:120]}
    )
    if added:
        for number, piece in enumerate(pieces(file)):
            StatementFileChunk.objects.create(file=kept, number=number, compressed=zlib.compress(piece, level=1))


def _contradiction(number: int, reference: str, other_number: int, other: str) -> str:
    return f"line {number}: says something else of {reference} than line {other_number} of {other}"
