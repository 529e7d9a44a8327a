"""A bank's statement that is split over several files: each page is kept as it came and waits, until all are there; then they are one statement.

Pages belong together by account and statement id while they wait. The lines of all of them, and the balances, are with the page that came last. A page
that comes again with other content takes the place of the one that waits, and a new last page that of all with higher numbers; a person may discard one.
Once a statement is imported no other page of its days is taken in: it could bring the same money under other references.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import BinaryIO, cast

from django.db import transaction as database
from django.db.models import QuerySet

from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, NotFound
from reconciliation.models import BankBalance, Statement, StatementState
from reconciliation.parsers.base import RefusedFile
from reconciliation.parsers.camt053 import Page
from reconciliation.services.locks import hold, patient
from reconciliation.services.readers import Expected, page_in

_IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one statement that have come so far."""

    found: Mapping[int, Statement]  # by number, in their order
    replaced: Sequence[Statement]  # those whose place the new page takes
    missing: str  # what the new page waits for, as a sentence; "": they are whole


def pages_with(statement: Statement, expected: Expected, file: BinaryIO) -> Pages | None:
    """The pages of the statement that the file is a page of, with itself; None if it is whole. Writes nothing. Raises RefusedFile."""
    page = page_in(expected, file)
    was_replaced = bool(statement.page and statement.page.get("replaced"))
    statement.page = asdict(page) | ({"replaced": True} if was_replaced else {}) if page else None
    if page is None:
        return None
    name = f"page {page.number} of statement {page.key} of {page.account}"
    same = _same(statement, page.account, page.key)
    _refuse_if_imported(same, page, name)
    waiting = same.filter(state=StatementState.WAITING).exclude(pk=statement.pk).order_by("received_at", "pk")
    found = {known.page["number"]: known for known in waiting if known.page}
    if was_replaced and page.number in found:
        raise RefusedFile(f"{name} was replaced by {found[page.number].pk}")
    found = {n: known for n, known in found.items() if n != page.number and not (page.last and n > page.number)}
    replaced = [known for known in waiting if known not in found.values()]
    found[page.number] = statement
    last = [number for number, known in found.items() if known.page and known.page["last"]]
    if len(last) > 1 or (last and max(found) > last[0]):
        raise RefusedFile(
            f"the pages of statement {page.key} of {page.account} do not agree which is the last: {found[last[0]].pk} says page {last[0]}"
        )
    return Pages(dict(sorted(found.items())), replaced, _waits(statement, list(found.values())))


def files_of(pages: Pages, statement: Statement, file: BinaryIO, opened: ExitStack) -> list[BinaryIO]:
    """The pages' files, in their order: those that were kept, and `file`, which `statement` is of."""
    files = []
    for page in pages.found.values():
        if page is statement:
            files.append(file)
            continue
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- `opened` closes it
        opened.callback(spool.close)
        for part in page.file.parts():
            spool.write(part)
        files.append(cast(BinaryIO, spool))
    return files


def pages_replace(pages: Pages, statement: Statement, actor: Actor, now: datetime) -> None:
    """The pages whose place the new one takes wait no longer. Before it is written: only one of a number may wait."""
    for page in pages.replaced:
        page.page = (page.page or {}) | {"replaced": True}
        _move(page, StatementState.REFUSED, f"replaced by {statement.pk}", actor, now)


def pages_move(pages: Pages, statement: Statement, actor: Actor, now: datetime) -> None:
    """What the new page, which is taken in, means for those that stay: imported with it, which has their lines, or waiting for less."""
    if statement.state == StatementState.IMPORTED:
        for page in pages.found.values():
            if page is not statement:
                page.day, page.imported_at = statement.day, now
                _move(page, StatementState.IMPORTED, f"with {statement.pk}", actor, now)
    else:
        _say(list(pages.found.values()))


def page_discard(*, statement_id: str, reason: str, actor: Actor, now: datetime) -> Statement:
    """Let a page wait no longer. Nothing of it was applied, so one person may. Raises NotFound, InvalidState."""
    with database.atomic():
        patient()
        known = Statement.objects.filter(pk=statement_id).first()
        if known is None:
            raise NotFound("There is no such statement.")
        hold(f"statement:{known.provider}")
        page = Statement.objects.select_for_update(no_key=True).get(pk=statement_id)
        if page.state != StatementState.WAITING:
            raise InvalidState("Only a page that waits for others is discarded.", state=page.state)
        _move(page, StatementState.REFUSED, f"discarded by {actor.name}: {reason}", actor, now)
        said = page.page or {}
        _say(list(_same(page, said["account"], said["key"]).filter(state=StatementState.WAITING)))
    return page


def _same(statement: Statement, account: str, key: str) -> QuerySet[Statement]:
    """The pages of that account and id, of whatever state, which came by the same way as `statement`."""
    return Statement.objects.filter(
        provider=statement.provider,
        provider_account=statement.provider_account_id,
        live=statement.live,
        page__account=account,
        page__key=key,
    )


def _waits(page: Statement, together: Sequence[Statement]) -> str:
    """What `page` waits for, as a sentence; "" if the pages that there are `together` are all."""
    said = [known.page for known in together if known.page]
    numbers = {known["number"] for known in said}
    missing = [f"page {number}" for number in range(1, max(numbers)) if number not in numbers]
    wanted = " and ".join([*missing, *([] if any(known["last"] for known in said) else ["the last page"])])
    own = page.page or {}
    return f"page {own['number']} of statement {own['key']} of {own['account']} waits for {wanted}" if wanted else ""


def _say(together: Sequence[Statement]) -> None:
    """Each page says what it waits for now."""
    for page in together:
        page.reason = _waits(page, together)
        page.save(update_fields=["reason"])


def _refuse_if_imported(same: QuerySet[Statement], page: Page, name: str) -> None:
    """A bank may use an id again, the next year; a statement that has a day of this page is the same one. Raises RefusedFile."""
    for known in BankBalance.objects.filter(
        statement__in=same.filter(state=StatementState.IMPORTED), account_key=page.account
    ):
        if known.opened_on.isoformat() <= page.day <= known.closed_on.isoformat():
            raise RefusedFile(
                f"{name} has other content than what was imported with {known.statement_id}: a person has to look at it"
            )


def _move(page: Statement, state: StatementState, why: str, actor: Actor, now: datetime) -> None:
    before, page.state = page.state, state
    page.reason = "" if state == StatementState.IMPORTED else why
    page.save(update_fields=["state", "reason", "page", "imported_at", "day"])
    record_action(
        actor=actor,
        action=f"statement.{state.lower()}",
        subject_type="statement",
        subject_id=page.pk,
        merchant_id=page.provider_account.merchant_id if page.provider_account else "",
        reason=why[:500],
        changes={"state": [before, state]},
        now=now,
    )
