"""The queue of breaks as a workbook, and the workbook filled in: what a row says is validated, shown, and only then applied.

A row may give a break an owner, a due date and a comment, and propose how it ends. Nothing is decided by a file: resolutions become proposals.
The same file again changes nothing more. Only the last five columns are read back; text is never a formula.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import IO, Any

import xlsxwriter
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from openpyxl import load_workbook

from common.cards import contains_card_number
from common.changes import Actor
from common.errors import CardDataNotAllowed, CounterfoilError, InvalidRequest
from common.models import Proposal
from common.money import Money, exponent
from common.spreadsheets import UNREADABLE
from reconciliation.models import Break, BreakComment
from reconciliation.selectors import break_difference
from reconciliation.services.breaks import WORK, breaks_assign, breaks_comment, breaks_set_due
from reconciliation.services.resolutions import ADJUST, DISPUTE, MATCH, WRITE_OFF, propose_resolution

MAX_ROWS = 50_000
MAX_BYTES = 20_000_000
_MAX_UNZIPPED = 200_000_000
_MOST = 5_000  # rows of a file that do something
_AT_ONCE = 1_000  # rows whose breaks are looked up in one query
_READ = ("Break", "Owner", "Due date", "Comment", "Resolution", "Reason")
_HEADS = (
    ("Break", 9), ("Kind", 24), ("Day", 11), ("Source", 10), ("Mode", 7), ("Our reference", 26), ("Their reference", 26),
    ("Our currency", 8), ("Ours", 14), ("Their currency", 8), ("Theirs", 14), ("Difference", 18), ("Cause", 50), ("Days open", 9),
    ("Owner", 14), ("Due date", 11), ("Comment", 40), ("Resolution", 14), ("Reason", 40),
)  # fmt: skip
RESOLUTIONS = {"match": MATCH, "adjust": ADJUST, "write off": WRITE_OFF, "dispute": DISPUTE}


@dataclass(frozen=True, slots=True)
class Planned:
    """What one row would do, or why it would do nothing."""

    number: int
    break_id: str
    does: tuple[str, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class Plan:
    """The rows of a file that do something or are refused, what each would do, and how many others there are."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    unchanged: int = 0


def write_breaks(rows: QuerySet[Break]) -> IO[bytes]:
    """A workbook of all the breaks, row by row to disk; the caller closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- handed to the response, which closes it
    book = xlsxwriter.Workbook(
        file,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    sheet = book.add_worksheet("Breaks")
    bold, dated = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "yyyy-mm-dd"})
    formats = {
        digits: book.add_format({"num_format": "#,##0" + ("." + "0" * digits if digits else "")}) for digits in range(5)
    }
    for column, (head, width) in enumerate(_HEADS):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, head, bold)
    sheet.freeze_panes(1, 1)
    heads = [head for head, _ in _HEADS]
    sheet.data_validation(
        1,
        heads.index("Resolution"),
        MAX_ROWS,
        heads.index("Resolution"),
        {"validate": "list", "source": list(RESOLUTIONS)},
    )
    for number, found in enumerate(rows.iterator(chunk_size=_AT_ONCE), start=1):
        _write(sheet, number, found, dated, formats)
    book.close()
    file.seek(0)
    return file


def _write(sheet: Any, number: int, found: Break, dated: Any, formats: dict[int, Any]) -> None:
    ours, theirs = _references(found)
    cells: list[Any] = [
        found.pk, found.get_kind_display(), found.day, found.provider, "live" if found.live else "test", ours, theirs,
        found.our_currency, _amount(found.our_minor, found.our_currency), found.their_currency, _amount(found.their_minor, found.their_currency),
        ", ".join(Money(minor, c).text() for c, minor in sorted(break_difference(found).items()) if minor), found.cause,
        (timezone.now() - found.first_seen_at).days, found.owner.get_username() if found.owner else "", found.due_on, "", "", "",
    ]  # fmt: skip
    for column, value in enumerate(cells):
        if isinstance(value, date):
            sheet.write_datetime(number, column, datetime.combine(value, datetime.min.time()), dated)
        elif isinstance(value, Money):
            sheet.write_number(number, column, value.decimal(), formats.get(exponent(value.currency)))
        elif isinstance(value, int):
            sheet.write_number(number, column, value)
        elif value:
            sheet.write_string(number, column, value)


def _amount(minor: int | None, currency: str) -> Money | str:
    return "" if minor is None else Money(minor, currency)


def _references(found: Break) -> tuple[str, str]:
    if found.payout is not None:
        return found.payout.end_to_end_id, ""
    if found.of_bank:
        return found.remittance_id or "", found.bank_line.reference if found.bank_line else ""
    ours = found.operation.reference if found.operation else found.line.our_reference if found.line else ""
    return (
        ours,
        found.line.provider_reference if found.line else found.operation.provider_reference if found.operation else "",
    )


def read_rows(content: bytes) -> Iterator[dict[str, Any]]:
    """What each row says, as plain values: {"number", "break", "owner", "due", "comment", "resolution", "reason"}.

    Raises InvalidRequest (no workbook of ours, too large), CardDataNotAllowed.
    """
    if len(content) > MAX_BYTES:
        raise InvalidRequest(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > _MAX_UNZIPPED:
                raise InvalidRequest("The file is too large when it is unpacked.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        yield from _rows(book.worksheets[0].iter_rows(values_only=True))
    except UNREADABLE as exc:
        raise InvalidRequest("The file cannot be read as an XLSX workbook.") from exc


def _rows(lines: Iterable[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    found = 0
    at: dict[str, int] = {}
    for number, cells in enumerate(lines, start=1):
        if number == 1:
            at = {str(name).strip(): place for place, name in enumerate(cells) if name}
            missing = [name for name in _READ if name not in at]
            if missing:
                raise InvalidRequest(f"It has no column {', '.join(missing)}: use an exported file.")
            continue
        if number > MAX_ROWS * 2:
            raise InvalidRequest(f"A file has at most {MAX_ROWS:,} rows.")
        if not any(cell not in (None, "") for cell in cells):
            continue
        if found == MAX_ROWS:
            raise InvalidRequest(f"A file has at most {MAX_ROWS:,} rows.")
        found += 1
        given = {name: cells[at[name]] if at[name] < len(cells) else None for name in _READ}
        if any(contains_card_number(str(cell)) for cell in (given["Comment"], given["Reason"]) if cell):
            raise CardDataNotAllowed(f"Row {number} holds a card number. Remove it and upload the file again.")
        due = given["Due date"]
        yield {
            "number": number,
            "break": _text(given["Break"]),
            "owner": _text(given["Owner"]),
            "due": due.date().isoformat() if isinstance(due, datetime) else _text(due),
            "comment": _text(given["Comment"]),
            "resolution": _text(given["Resolution"]).lower(),
            "reason": _text(given["Reason"]),
        }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def plan_of(rows: Iterable[dict[str, Any]], *, by: User) -> Plan:
    """What the rows would do, or why they are refused. Changes nothing. Raises InvalidRequest (more than 5,000 rows do something)."""
    plan, seen = Plan(), set[str]()
    rows = iter(rows)
    while some := list(islice(rows, _AT_ONCE)):
        ids = [int(row["break"]) for row in some if _is_key(row["break"])]
        breaks = {found.pk: found for found in Break.objects.filter(pk__in=ids).select_related("owner")}
        names = {row["owner"] for row in some}
        people = {user.get_username(): user for user in User.objects.filter(username__in=names)}
        for row in some:
            found = breaks.get(int(row["break"])) if _is_key(row["break"]) else None
            planned = _planned(row, found, people, by, seen)
            seen.add(row["break"])
            if not (planned.does or planned.problem):
                plan.unchanged += 1
                continue
            if len(plan.rows) == _MOST:
                raise InvalidRequest(f"More than {_MOST:,} rows of the file do something: split it.")
            plan.rows.append(row)
            plan.planned.append(planned)
    return plan


def _planned(row: dict[str, Any], found: Break | None, people: dict[str, User], by: User, seen: set[str]) -> Planned:
    try:
        if row["break"] in seen:
            raise InvalidRequest("The break is in the file twice.")
        return Planned(row["number"], row["break"], tuple(_steps(row, found, people, by)))
    except CounterfoilError as exc:
        return Planned(row["number"], row["break"], problem=exc.message)


def _is_key(text: str) -> bool:
    return text.isdecimal() and len(text) < 19


def _steps(row: dict[str, Any], found: Break | None, people: dict[str, User], by: User) -> list[str]:
    if found is None:
        raise InvalidRequest("There is no such break.")
    steps = []
    owner = found.owner.get_username() if found.owner else ""
    if row["owner"] != owner:
        wanted = people.get(row["owner"])
        if row["owner"] and (wanted is None or not wanted.is_active or not wanted.has_perm(WORK)):
            raise InvalidRequest(f"{row['owner']} does not work on breaks.")
        steps.append(f"Owner {owner or 'nobody'} becomes {row['owner'] or 'nobody'}")
    due = _due(row)
    if due != found.due_on:
        steps.append(f"Due {due or 'date removed'}")
    if len(row["comment"]) > 2000:
        raise InvalidRequest("The comment is longer than 2000 characters.")
    if row["comment"] and not _commented(found, row, by):
        steps.append("Comment added")
    if row["resolution"]:
        if row["resolution"] not in RESOLUTIONS:
            raise InvalidRequest(f"Resolution {row['resolution'][:40]} is none of {', '.join(RESOLUTIONS)}.")
        if not row["reason"] or len(row["reason"]) > 255:
            raise InvalidRequest("A resolution needs a reason of at most 255 characters.")
        if not _proposed(found, row, by):
            steps.append(f"Propose: {row['resolution']}")
    if steps and found.resolved_at is not None:
        raise InvalidRequest("The break is resolved.")
    return steps


def _due(row: dict[str, Any]) -> date | None:
    try:
        return date.fromisoformat(row["due"]) if row["due"] else None
    except ValueError as exc:
        raise InvalidRequest(f"{row['due'][:40]} is not a date.") from exc


def _commented(found: Break, row: dict[str, Any], by: User) -> bool:
    return BreakComment.objects.filter(break_item=found, author=by, text=row["comment"]).exists()


def _proposed(found: Break, row: dict[str, Any], by: User) -> bool:
    """Whether this person asked for just that before, whatever became of it."""
    return Proposal.objects.filter(
        subject_type="break",
        subject_id=str(found.pk),
        kind=RESOLUTIONS[row["resolution"]],
        proposed_by=by,
        reason=row["reason"],
    ).exists()


def apply_rows(
    rows: Sequence[dict[str, Any]], *, by: User, actor: Actor, now: datetime
) -> tuple[int, list[tuple[int, str]]]:
    """Do what the rows say, each on its own. Returns how many changes were made or proposed, and the refused rows with the reason."""
    done, problems = 0, []
    plan = plan_of(rows, by=by)
    for row, planned in zip(plan.rows, plan.planned, strict=True):
        if planned.problem:
            problems.append((planned.number, planned.problem))
        else:
            try:
                done += _apply(row, by, actor, now)
            except CounterfoilError as exc:
                problems.append((planned.number, exc.message))
    return done, problems


def _apply(row: dict[str, Any], by: User, actor: Actor, now: datetime) -> int:
    found = Break.objects.select_related("owner").get(pk=int(row["break"]))
    common: dict[str, Any] = {"by": by, "actor": actor, "now": now}
    owner = User.objects.get(username=row["owner"]) if row["owner"] else None
    done = breaks_assign(break_ids=[found.pk], owner=owner, **common)
    done += breaks_set_due(break_ids=[found.pk], due_on=_due(row), reason=row["reason"], **common)
    if row["comment"] and not _commented(found, row, by):
        done += breaks_comment(break_ids=[found.pk], text=row["comment"], **common)
    if row["resolution"] and not _proposed(found, row, by):
        propose_resolution(kind=RESOLUTIONS[row["resolution"]], break_id=found.pk, reason=row["reason"], **common)
        done += 1
    return done
