"""Lines that could not be read: put right in place and read again alone, by the same parser; or discarded, which needs two people.

When the last one is put right, the lines have to come to what the file states: otherwise it is not what the file said, and is refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, BinaryIO, cast

from django.contrib.auth.models import User
from django.db import connection
from django.db import transaction as database

from common.approvals import Act, Pin, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidRequest, InvalidState, NotFound
from common.models import Proposal
from merchants.models import ProviderAccount
from reconciliation.models import (
    BankBalance,
    BankLine,
    Controls,
    QuarantinedLine,
    QuarantineState,
    Remittance,
    Source,
    Statement,
    StatementLine,
)
from reconciliation.parsers.base import Entry, Line, LineProblem, RefusedFile, Totals, disagreements
from reconciliation.parsers.bytes import PIECE
from reconciliation.parsers.entries import hundredths_of
from reconciliation.services.incoming import ENTRIES, LINES
from reconciliation.services.locks import hold, patient
from reconciliation.services.readers import Expected, line_parser, open_reader
from reconciliation.services.remittances import remittances_announce
from reconciliation.services.sequels import Span, other_statements

DISCARD = "quarantine.discard"


def columns_of(statement: Statement) -> tuple[str, ...]:
    """The names of the columns of the statement's lines."""
    return line_parser(_expected(statement)).columns


def line_fix(*, line_id: int, cells: Sequence[str], actor: Actor, now: datetime) -> QuarantinedLine:
    """Read the line as `cells` say it is, and keep it as one of its statement's.

    Raises NotFound, InvalidState (decided already, or the day is closed), InvalidRequest (it still cannot be read, says something else of a
    line that is known, or is the last one and the control totals do not agree).
    """
    with database.atomic():
        patient()
        quarantined = _locked(line_id)
        statement, expected = quarantined.statement, _expected(quarantined.statement)
        parsed = _parsed(expected, quarantined, cells)
        kept, new = _keep(expected.source, statement, parsed)
        if isinstance(kept, StatementLine):
            quarantined.line = kept
            if new:
                _announce(expected.source, statement, kept, actor, now)
        else:
            quarantined.bank_line = kept
        quarantined.state, quarantined.fixed_cells = QuarantineState.FIXED, list(cells)
        quarantined.fixed_by, quarantined.decided_at = actor.name, now
        quarantined.save()
        _count(statement, parsed, new=new)
        _settle_controls(statement)
        record_action(
            actor=actor,
            action="quarantine.fixed",
            subject_type="statement",
            subject_id=statement.pk,
            merchant_id=kept.provider_account.merchant_id
            if isinstance(kept, StatementLine) and kept.provider_account
            else "",
            changes={"line": quarantined.number, "cells": [quarantined.cells, list(cells)]},
            now=now,
        )
    return quarantined


def line_discard_propose(*, line_id: int, reason: str, by: User, actor: Actor, now: datetime) -> Proposal:
    """Ask a second person to leave the line out for good. Raises NotFound, InvalidState, Forbidden."""
    line = QuarantinedLine.objects.filter(pk=line_id).select_related("statement").first()
    if line is None:
        raise NotFound("There is no such line.")
    if line.state != QuarantineState.OPEN:
        raise InvalidState("The line is decided already.", state=line.state)
    _refuse_if_closed(line.statement)
    return propose(
        kind=DISCARD,
        subject_type="quarantined_line",
        subject_id=str(line.pk),
        summary=f"Discard line {line.number} of statement {line.statement_id}: {line.reason}. It reads: {' | '.join(line.cells)}"[
            :500
        ],
        reason=reason,
        pins=[Pin("quarantined_line", str(line.pk), ("state", "cells"))],
        by=by,
        actor=actor,
        now=now,
    )


def _lock(proposal: Proposal) -> None:
    _locked(int(proposal.subject_id))


def _discard(proposal: Proposal, actor: Actor, now: datetime) -> None:
    line = _locked(int(proposal.subject_id))
    line.state, line.proposal, line.decided_at = QuarantineState.DISCARDED, proposal, now
    line.save(update_fields=["state", "proposal", "decided_at"])
    _settle_controls(line.statement)
    record_action(
        actor=actor,
        action="quarantine.discarded",
        subject_type="statement",
        subject_id=line.statement_id,
        reason=proposal.reason,
        changes={"line": line.number, "cells": [line.cells, None]},
        now=now,
    )


ACT = Act(
    kind=DISCARD,
    title="Discard a line that cannot be read",
    may_propose="reconciliation.fix_quarantinedline",
    may_approve="reconciliation.approve_quarantinedline",
    lock=_lock,
    execute=_discard,
)


def _locked(line_id: int) -> QuarantinedLine:
    """The line with its statement, both locked, under the locks of the source's imports and of its closings. Raises NotFound, InvalidState."""
    found = QuarantinedLine.objects.filter(pk=line_id).select_related("statement").first()
    if found is None:
        raise NotFound("There is no such line.")
    hold(f"statement:{found.statement.provider}")
    statement = Statement.objects.select_for_update(no_key=True).get(pk=found.statement_id)
    line = QuarantinedLine.objects.select_for_update().get(pk=line_id)
    line.statement = statement
    if line.state != QuarantineState.OPEN:
        raise InvalidState("The line is decided already.", state=line.state)
    _refuse_if_closed(statement)
    return line


def _refuse_if_closed(statement: Statement) -> None:
    """What a closed day says stays as it was signed, control totals too. Until the transaction ends nobody closes it. Raises InvalidState."""
    day: list[Any] = [statement.provider, statement.live]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(counterfoil_day_lock(%s, %s))", day)
        cursor.execute("SELECT counterfoil_day_closed(%s, %s, %s)", [*day, statement.day])
        if cursor.fetchone()[0]:
            raise InvalidState("The day is closed: open it again first.")


def _expected(statement: Statement) -> Expected:
    """As the file was read when it came."""
    source, account = Source.objects.get(pk=statement.provider), statement.provider_account
    source.mapping_version = statement.mapping_version
    return Expected(source, statement.live, statement.day, account.account_key if account else None)


def _parsed(expected: Expected, quarantined: QuarantinedLine, cells: Sequence[str]) -> Line | Entry:
    try:
        parsed = line_parser(expected).read(quarantined.number, cells)
        if isinstance(parsed, Entry):
            _check_day(quarantined.statement, parsed)
    except (LineProblem, RefusedFile) as exc:
        raise InvalidRequest(f"It still cannot be read: {exc}.") from exc
    return parsed


def _check_day(statement: Statement, entry: Entry) -> None:
    balances = BankBalance.objects.filter(statement=statement, account_key=entry.account_key)
    within = balances.filter(opened_on__lte=entry.booked_on, closed_on__gte=entry.booked_on)
    if balances.exists() and not within.exists():
        raise LineProblem(f"booked on {entry.booked_on}, which is no day of the statement")


def _keep(source: Source, statement: Statement, parsed: Line | Entry) -> tuple[StatementLine | BankLine, bool]:
    """The row of this line, and whether it is new."""
    values = {name: value for name, value in asdict(parsed).items() if name != "number"}
    model: Any = StatementLine if isinstance(parsed, Line) else BankLine
    names = (LINES if isinstance(parsed, Line) else ENTRIES).names
    twins = model.objects.filter(provider=source.code, **{name: values[name] for name in names}).order_by("occurrence")
    alike = twins.exclude(statement__in=_others(statement, parsed.account_key)) if isinstance(parsed, Entry) else twins
    place = _occurrence(statement, parsed) if alike.exists() else 1
    known = alike[place - 1 : place].first()
    occurrence = twins.count() + 1
    if known is not None:
        if any(getattr(known, name) != value for name, value in values.items()):
            raise InvalidRequest(
                f"It says something else than line {known.number} of {known.statement_id}, which has the same reference."
            )
        return known, False
    if isinstance(parsed, Line):
        values["provider_account"] = ProviderAccount.objects.filter(
            provider=source.code, live=statement.live, account_key=parsed.account_key
        ).first()
    row = model.objects.create(
        statement=statement, number=parsed.number, provider=source.code, occurrence=occurrence, **values
    )
    return row, True


def _others(statement: Statement, account: str) -> list[str]:
    """The files whose entries of the account are others than this one's, however alike."""
    own = BankBalance.objects.filter(statement=statement, account_key=account).values_list(*Span._fields)
    return [file for file, _ in other_statements(statement, [(account, Span(*span)) for span in own])]


def _occurrence(statement: Statement, parsed: Line | Entry) -> int:
    """Which of its twins it is: one more than the file has otherwise, those included that were put right before. Reads the file again."""
    key_of = (LINES if isinstance(parsed, Line) else ENTRIES).key
    with tempfile.SpooledTemporaryFile(max_size=4 * PIECE) as spool:
        file = cast(BinaryIO, spool)
        for part in statement.file.parts():
            file.write(part)
        twins = sum(
            isinstance(item, type(parsed)) and key_of(item) == key_of(parsed)
            for item in open_reader(_expected(statement), file)
        )
    for fixed in QuarantinedLine.objects.filter(statement=statement, state=QuarantineState.FIXED).select_related(
        "line", "bank_line"
    ):
        twins += key_of(fixed.line or fixed.bank_line) == key_of(parsed)
    return twins + 1


def _announce(source: Source, statement: Statement, line: StatementLine, actor: Actor, now: datetime) -> None:
    part = 1 + Remittance.objects.filter(statement=statement).count()
    remittances_announce(source=source, statement=statement, actor=actor, now=now, line_id=line.pk, part=part)


def _count(statement: Statement, parsed: Line | Entry, *, new: bool) -> None:
    if isinstance(parsed, Line):
        sums = (parsed.amount_minor, parsed.fee_minor, parsed.net_minor)
    else:
        sums = (parsed.amount_minor, 0, parsed.amount_minor)
    amount, fee, net = (hundredths_of(minor, parsed.currency) for minor in sums)
    statement.amount_total += amount
    statement.fee_total += fee
    statement.net_total += net
    statement.new_line_count += new


def _settle_controls(statement: Statement) -> None:
    """With no line left to put right, what the file states is compared. Raises InvalidRequest."""
    decided = QuarantinedLine.objects.filter(statement=statement)
    if statement.controls == Controls.WAITING and not decided.filter(state=QuarantineState.OPEN).exists():
        if decided.filter(state=QuarantineState.DISCARDED).exists():
            statement.controls = Controls.DIFFERS
        else:
            stated = Totals(**statement.stated)
            found = Totals(stated.lines, statement.amount_total, statement.fee_total, statement.net_total)
            if wrong := disagreements(stated, found):
                raise InvalidRequest(f"With this line the file {'; '.join(wrong)}.")
            statement.controls = Controls.AGREED
    statement.save()
