"""The fast way in for a large file that is plainly what was declared: checked by its shape, copied as it is, kept in one statement.

While one block goes over the wire the next one's shape is checked; amounts, sums, signs and days are the database's work. Whatever is odd (a line
of another shape, a sum, a twin, a line that is known) makes it give up without a trace, and the file is read line by line, which says
what is odd. So there is one set of rules, and this only saves the time of applying it to what obeys.
"""

# ruff: noqa: S608 -- every statement is put together here from the declared formats; values are parameters
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

from django.db import DataError, IntegrityError
from django.db import transaction as database

from common.database import constraint_of
from reconciliation.parsers.base import Balance, LineProblem, RefusedFile, Totals
from reconciliation.parsers.shape import OddShape, blocks, head_of, is_plain, lines_pattern, trailer_of
from reconciliation.parsers.table import FEE_MAY_COME_BACK, WITHOUT_A_PAYMENT, Format, check_head, stated_by

_NAMES = (
    "type",
    "account_key",
    "provider_reference",
    "our_reference",
    "at",
    "currency",
    "amount",
    "fee",
    "net",
    "status_code",
)


@dataclass(frozen=True, slots=True)
class Staged:
    """What a plain file comes to, in the words of a reader that has come to its end, and how its lines are kept."""

    totals: Totals
    stated: Totals
    keep: str
    unread: int = 0
    balances: tuple[Balance, ...] = ()


def stage(
    cursor: Any,
    file: BinaryIO,
    format: Format,
    *,
    day: date,
    account_key: str | None,
    progress: Callable[[int, int], None],
    size: int,
) -> Staged | None:
    """Copy the file into the table raw_line. None, and nothing is left: it is not plain."""
    if not is_plain(format):
        return None
    try:
        with database.atomic():
            totals = _copy(cursor, file, format, day, account_key, progress, size)
    except (OddShape, LineProblem, RefusedFile, DataError):
        return None
    return Staged(totals, totals, _keep(format, of_one_account=account_key is not None))


_EXPLAINED_BY_THE_READER = (
    "statement_line_once",
    "statement_line_sign_of_type",
    "statement_line_net_is_amount_less_fee",
)


def keep(cursor: Any, staged: Staged, parameters: dict[str, Any]) -> int | None:
    """Write the lines of raw_line. Returns how many; None, and nothing is written: some are known, or twins."""
    try:
        with database.atomic():
            cursor.execute(staged.keep, parameters)
            count = int(cursor.rowcount)
    except IntegrityError as exc:
        if constraint_of(exc) not in _EXPLAINED_BY_THE_READER:
            raise
        return None
    return count


def _copy(
    cursor: Any,
    file: BinaryIO,
    format: Format,
    day: date,
    account_key: str | None,
    progress: Callable[[int, int], None],
    size: int,
) -> Totals:
    head = head_of(file)
    check_head(format, day, account_key, *head.rows)
    stated = stated_by(format, trailer_of(file))
    of_column = {getattr(format.columns, name): name for name in _NAMES}
    names = [of_column.get(column, f"x{number}") for number, column in enumerate(format.header)]
    types = ", ".join(f"{name} {'timestamptz' if name == 'at' else 'text'}" for name in names)
    cursor.execute(f"CREATE TEMPORARY TABLE raw_line ({types}) ON COMMIT DROP")
    pattern, done = lines_pattern(format, account_key), head.size
    with (
        cursor.db.wrap_database_errors,
        cursor.copy(f"COPY raw_line ({', '.join(names)}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')") as copy,
    ):
        for block in blocks(file, head, pattern):
            copy.write(block)
            done += len(block)
            progress(done, size)
    start, end = (datetime.combine(day + timedelta(days=n), time(), format.zone) for n in (0, 1))
    needs = {
        "start": start,
        "end": end,
        "fee_kept": [theirs for theirs, ours in format.types.items() if ours not in FEE_MAY_COME_BACK],
        "of_payments": [theirs for theirs, ours in format.types.items() if ours not in WITHOUT_A_PAYMENT],
    }
    cursor.execute(_SUMS, needs)
    count, amount, fee, net, odd = cursor.fetchone()
    if odd or stated != Totals(count, amount, fee, net):
        raise OddShape
    return stated


_MINOR = "replace({}, '.', '')::bigint"
_SUMS = f"""
SELECT count(*), coalesce(sum(amount), 0)::bigint, coalesce(sum(fee), 0)::bigint, coalesce(sum(net), 0)::bigint,
       coalesce(bool_or(at < %(start)s OR at >= %(end)s OR net <> amount - fee OR (fee < 0 AND type = ANY(%(fee_kept)s))
                        OR (our_reference IS NULL AND type = ANY(%(of_payments)s))), false)
FROM (SELECT type, our_reference, at, {", ".join(f"{_MINOR.format(name)} AS {name}" for name in ("amount", "fee", "net"))} FROM raw_line) l
"""


_HEAD_ROWS = 2


def _keep(format: Format, *, of_one_account: bool) -> str:
    """One statement: translate, and keep with the account of ours, in the order of the file. A scan of the table has that order by itself."""
    translated = "type"
    if any(theirs != ours for theirs, ours in format.types.items()):
        cases = " ".join(f"WHEN '{theirs}' THEN '{ours}'" for theirs, ours in format.types.items())
        translated = f"CASE type {cases} END"
    account, source = "%(account)s", f"(SELECT row_number() OVER () + {_HEAD_ROWS} AS number, * FROM raw_line) i"
    if not of_one_account:
        account = "a.id"
        source += """
LEFT JOIN provider_account a ON a.provider = %(provider)s AND a.live = %(live)s AND a.account_key = i.account_key
ORDER BY i.number"""
    return f"""
INSERT INTO statement_line (statement_id, number, provider, occurrence, account_key, provider_account_id, type, provider_reference,
                            our_reference, at, currency, amount_minor, fee_minor, net_minor, status_code)
SELECT %(statement)s, i.number, %(provider)s, 1, i.account_key, {account}, {translated}, i.provider_reference, coalesce(i.our_reference, ''),
       i.at, i.currency, {_MINOR.format("i.amount")}, {_MINOR.format("i.fee")}, {_MINOR.format("i.net")}, i.status_code
FROM {source}
"""
