"""A bank's statement that is split over several files: each page is kept as it came and waits, until all are there; then they are one statement.

Pages belong together by account and statement id. The lines of all of them, and the balances, are with the page that came last. A page that comes again
with other content takes the place of the one before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from typing import BinaryIO, cast

from reconciliation.models import Statement, StatementState
from reconciliation.parsers.base import RefusedFile
from reconciliation.services.readers import Expected, page_in

_IN_MEMORY = 8 * 1024 * 1024
Pages = Mapping[int, Statement]  # by number, from 1 to the last, without a gap


class PagesMissing(RefusedFile):
    """The file is a page, and not all of the others have come."""


def pages_with(statement: Statement, expected: Expected, file: BinaryIO) -> Pages | None:
    """All pages of the statement that the file is a page of; None if it is whole. Raises PagesMissing, RefusedFile."""
    page = page_in(expected, file)
    statement.page = asdict(page) if page else None
    if page is None:
        return None
    same = Statement.objects.filter(
        provider=statement.provider,
        provider_account=statement.provider_account,
        live=statement.live,
        page__account=page.account,
        page__key=page.key,
    )
    found = {
        known.page["number"]: known
        for known in same.exclude(pk=statement.pk).order_by("received_at", "pk")
        if known.page
    }
    found[page.number] = statement
    last = [number for number, known in found.items() if known.page and known.page["last"]]
    if len(last) > 1 or (last and max(found) > last[0]):
        raise RefusedFile(f"the pages of statement {page.key} of {page.account} do not agree which is the last")
    missing = [f"page {number}" for number in range(1, max(found)) if number not in found]
    if missing or not last:
        wanted = " and ".join([*missing, *([] if last else ["the last page"])])
        raise PagesMissing(f"page {page.number} of statement {page.key} of {page.account} waits for {wanted}")
    return dict(sorted(found.items()))


def files_of(pages: Pages, statement: Statement, file: BinaryIO, opened: ExitStack) -> list[BinaryIO]:
    """The pages' files, in their order: those that were kept, and `file`, which `statement` is of."""
    files = []
    for page in pages.values():
        if page is statement:
            files.append(file)
            continue
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- `opened` closes it
        opened.callback(spool.close)
        for part in page.file.parts():
            spool.write(part)
        files.append(cast(BinaryIO, spool))
    return files


def pages_imported(pages: Pages | None, statement: Statement, now: datetime) -> None:
    """The other pages are imported with `statement`, which has their lines."""
    for page in (pages or {}).values():
        if page is not statement:
            page.state, page.reason, page.imported_at, page.day = StatementState.IMPORTED, "", now, statement.day
            page.save(update_fields=["state", "reason", "imported_at", "day"])
