"""Payment files: approved payouts leave for the bank together, each file under one message id for ever.

Making a file takes its payouts, so a payout is in one file at a time. The claim is committed before a byte leaves. No answer, or one that cannot be
read, is *unknown*: the very same message is sent again later, and a bank books a message id once. Only a bank that has always said no puts the payouts
back for the next file: each refusal makes the files with them a quarter as large, so that the one the bank dislikes ends up alone and
the others leave.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
import structlog
import urllib3
from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet
from django.utils import timezone

from common.apart import apart
from common.audit import record_action
from common.changes import Actor, Subject, record_change
from common.crashpoints import crashpoint
from common.crypto import seal
from common.errors import InvalidState, NotFound
from common.ids import new_id, new_reference
from common.rows import Rows
from payments.providers.base import NotSent
from payments.providers.session import open_session
from reconciliation.models import FileState, Payout, PayoutBank, PayoutFile, PayoutState, PayoutWay
from reconciliation.models.payout import FILE_MOVES
from reconciliation.payouts.pain001 import CreditTransfer, Party, write
from reconciliation.services.payloads import payout_file_payload
from reconciliation.services.payout_moves import lock_payouts, payout_move
from reconciliation.services.payouts import party_of

log = structlog.get_logger(__name__)
SENDER = Actor("system:payouts")
_MOST = 1000  # payouts in one file; a quarter of it after each refusal
_ALONE = 5  # refusals after which a payout has been alone in its file, and is tried every hour
_PAUSES = (1, 5, 15, 60)  # minutes until an unknown file is sent again; then every hour
_ANSWER_BYTES = 64 * 1024
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bank said: the state it leaves the file in, and its words."""

    state: FileState
    text: str


def payouts_send(*, now: datetime) -> int:
    """Make files of what is approved, and send every file that is due. Returns how many were sent, whatever came of it."""
    for bank_id in list(PayoutBank.objects.order_by("-live", "currency").values_list("pk", flat=True)):
        with apart("payout_file.not_made", bank=bank_id):
            while payout_file_make(bank_id=bank_id, actor=SENDER, now=now) is not None:
                pass
    sent = 0
    due = PayoutFile.objects.filter(due_at__lte=now).order_by("due_at", "pk").values_list("pk", flat=True)
    for file_id in list(due):
        with apart("payout_file.not_sent", file=file_id):
            sent += payout_file_send(file_id=file_id, now=now) is not None
    return sent


def payout_file_make(*, bank_id: str, actor: Actor, now: datetime) -> PayoutFile | None:
    """Put what is approved in the bank account's mode and currency into a file. None if there is nothing."""
    with database.atomic():
        bank = PayoutBank.objects.select_for_update(no_key=True).get(pk=bank_id)
        waiting = Payout.objects.filter(
            live=bank.live, currency=bank.currency, state=PayoutState.APPROVED, way=PayoutWay.BANK_FILE
        )
        ids = _next(waiting, now)
        payouts = [payout for payout in lock_payouts(ids) if payout.state == PayoutState.APPROVED]
        if not payouts:
            return None
        file = _file_of(bank, payouts, now)
        rows = Rows()
        rows.add(file)
        _record(
            rows, file, "payout_file.made", {"state": [None, file.state], "payouts": [None, len(payouts)]}, actor, now
        )
        rows.write()
        for payout in payouts:
            moved = Rows()
            payout_move(moved, payout, PayoutState.SENT, actor=actor, now=now, file_id=file.pk)
            moved.write()
        crashpoint("payout_file.made")
    return file


def _next(waiting: QuerySet[Payout], now: datetime) -> list[str]:
    """The payouts of the next file: as many as were refused equally often and may be together again."""
    for refusals in range(_ALONE + 1):
        ids = _refused(waiting, refusals, 1 if refusals else 0, now)
        if ids:
            return ids
    return _refused(waiting, _ALONE + 1, _PAUSES[-1], now)


def _refused(waiting: QuerySet[Payout], refusals: int, minutes: int, now: datetime) -> list[str]:
    """Those that were refused so often, the last time so many minutes ago."""
    often = {"refusals": refusals} if refusals <= _ALONE else {"refusals__gt": _ALONE}
    alike = waiting.filter(**often, updated_at__lte=now - timedelta(minutes=minutes))
    return list(alike.order_by("approved_at", "pk").values_list("pk", flat=True)[: max(1, _MOST >> 2 * refusals)])


def payout_file_send(*, file_id: str, now: datetime) -> FileState | None:
    """Send a due file to the bank, or send it again. None if somebody else has it or it is not due."""
    lease = now + timedelta(seconds=settings.PAYOUT_FILE_LEASE_SECONDS)
    with database.atomic():
        file = _lock(file_id)
        if file.due_at is None or file.due_at > now:
            return None
        if file.state == FileState.SENT:  # whoever claimed it is dead: it may have left
            _move(
                file, FileState.UNKNOWN, SENDER, now, due_at=now, answer="Nobody recorded an answer.", maybe_taken=True
            )
        if not file.url:
            return None  # payouts are made from another account by now: somebody carries it to its bank
        _move(file, FileState.SENT, SENDER, now, due_at=lease, sends=file.sends + 1)
    crashpoint("payout_file.claimed")
    answer = _post(file)
    crashpoint("payout_file.answered")
    with database.atomic():
        file = _lock(file_id)
        if file.state != FileState.SENT or file.due_at != lease:
            return None  # the claim lapsed meanwhile: whoever has it now records what comes of it
        _conclude(file, answer, now)
    log.info("payout_file.sent", file=file.pk, state=answer.state, answer=answer.text)
    return answer.state


def payout_file_handed_over(*, file_id: str, reason: str, actor: Actor, now: datetime) -> PayoutFile:
    """An operator carried the file to a bank that we do not send it to. Raises NotFound, InvalidState."""
    with database.atomic():
        file = _lock(file_id)
        if not file.by_hand:
            raise InvalidState("The file is sent by itself.")
        _move(file, FileState.ACCEPTED, actor, now, reason=reason, due_at=None, answer="Handed over.")
    return file


def payout_file_download(*, file_id: str, actor: Actor, now: datetime) -> tuple[str, bytes]:
    """The file's name and content; who took it is in the audit log, because it has bank accounts. Raises NotFound."""
    file = PayoutFile.objects.filter(pk=file_id).first()
    if file is None:
        raise NotFound("There is no such payment file.")
    record_action(actor=actor, action="payout_file.downloaded", subject_type="payout_file", subject_id=file.pk, now=now)
    return f"{file.message_id}.xml", file.content()


def _file_of(bank: PayoutBank, payouts: list[Payout], now: datetime) -> PayoutFile:
    """Raises CannotPay; each payout was looked at when it was proposed."""
    message_id, pay_on = new_reference("PYF", now), now.astimezone(timezone.get_default_timezone()).date()
    content = write(
        message_id=message_id,
        created_at=now,
        pay_on=pay_on,
        debtor=Party(name=bank.name, account=bank.account_key, bic=bank.bic),
        transfers=[
            CreditTransfer(
                payout.end_to_end_id,
                payout.amount,
                party_of(payout.open_bank()),
                f"Settlement {payout.settlement.day} {payout.end_to_end_id}",
            )
            for payout in payouts
        ],
    )
    file_id = new_id("pyf")
    return PayoutFile(
        id=file_id,
        bank=bank,
        source=bank.source,
        account_key=bank.account_key,
        message_id=message_id,
        live=bank.live,
        currency=bank.currency,
        pay_on=pay_on,
        payout_count=len(payouts),
        total_minor=sum(payout.amount_minor for payout in payouts),
        content_sealed=seal(content.decode(), bound_to=f"payout_file.content.{file_id}"),
        sha256=hashlib.sha256(content).digest(),
        due_at=now if bank.url else None,
        created_at=now,
        updated_at=now,
    )


def _post(file: PayoutFile) -> Answer:
    """What the bank says. No transaction is open here."""
    if not hasattr(_local, "session"):
        _local.session = open_session()  # the one that tells "not sent" from "unknown"
    try:
        with _local.session.post(
            file.url,
            data=file.content(),
            headers={"Content-Type": "application/xml", "Accept-Encoding": "identity", "User-Agent": "Counterfoil/1"},
            timeout=settings.PROVIDER_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            text = response.raw.read(_ANSWER_BYTES, decode_content=False).decode(errors="replace")
            status = response.status_code
    except NotSent as exc:
        return Answer(FileState.PREPARED, str(exc)[:255])
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        return Answer(FileState.UNKNOWN, f"No answer: {type(exc).__name__}.")
    shown = f"{status}: {' '.join(text.split())}"[:255]
    if status in (200, 201, 202, 409):  # 409: it has this message id already
        return Answer(FileState.ACCEPTED, shown)
    if status in (400, 413, 415, 422):  # it read the message and took none of it
        return Answer(FileState.REFUSED, shown)
    return Answer(FileState.UNKNOWN, shown)


def _conclude(file: PayoutFile, answer: Answer, now: datetime) -> None:
    to = answer.state
    if to == FileState.REFUSED and file.maybe_taken:
        to = FileState.UNKNOWN
    minutes = _PAUSES[min(file.sends, len(_PAUSES)) - 1]
    again = now + timedelta(minutes=minutes) if to in (FileState.PREPARED, FileState.UNKNOWN) else None
    unknown = file.maybe_taken or to == FileState.UNKNOWN
    _move(file, to, SENDER, now, due_at=again, answer=answer.text, maybe_taken=unknown)
    if to != FileState.REFUSED:
        return
    for payout in lock_payouts(list(file.payouts.filter(state=PayoutState.SENT).values_list("pk", flat=True))):
        rows = Rows()
        refusals = payout.refusals + 1
        payout_move(
            rows,
            payout,
            PayoutState.APPROVED,
            actor=SENDER,
            now=now,
            reason=answer.text,
            file_id=None,
            refusals=refusals,
        )
        rows.write()


def _lock(file_id: str) -> PayoutFile:
    files = PayoutFile.objects.select_for_update(of=("self",), no_key=True).select_related("bank")
    file = files.filter(pk=file_id).first()
    if file is None:
        raise NotFound("There is no such payment file.")
    return file


def _move(file: PayoutFile, to: FileState, actor: Actor, now: datetime, *, reason: str = "", **values: Any) -> None:
    """Move the locked file, with fact and audit record. Raises InvalidState."""
    before = FileState(file.state)
    fact = FILE_MOVES.get((before, to))
    if fact is None:
        raise InvalidState(f"The file is {file.get_state_display().lower()}.", state=before)
    file.state, file.updated_at = to, now
    file.version += 1
    for name, value in values.items():
        setattr(file, name, value)
    rows = Rows()
    rows.update(
        PayoutFile, file.pk, {"version": file.version - 1}, state=to, version=file.version, updated_at=now, **values
    )
    _record(rows, file, fact, {"state": [before, to]}, actor, now, reason or file.answer)
    rows.write()


def _record(
    rows: Rows,
    file: PayoutFile,
    fact: str,
    changes: dict[str, list[Any]],
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> None:
    record_change(
        rows,
        subject=Subject("payout_file", file.pk, file.version, "", file.live),
        fact=fact,
        payload=payout_file_payload(file),
        changes=changes,
        actor=actor,
        now=now,
        reason=reason,
    )
