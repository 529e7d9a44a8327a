"""Payouts: proposed for settlements by one person, released by another, cancelled by anybody before they leave.

The proposal pins each payout, its settlement and the merchant's latest terms: a change of any of them makes it void. A destination that the
merchant has changed may be used only after a cooling period; a payout above the limit needs somebody with a permission of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db import transaction as database
from django.db.models import Q, QuerySet

from common.approvals import Act, Changed, Pin, propose
from common.changes import Actor
from common.database import constraint_of
from common.errors import InvalidAccountStatus, InvalidRequest, InvalidState, NotFound
from common.ids import new_id, new_reference
from common.models import Proposal, ProposalState
from common.money import Money, exponent
from common.queue import nudge
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.models import Account
from payments.models.ledger import AccountKind
from payments.services.accounts import change_balance, lock_accounts
from payments.states import AccountStatus
from reconciliation.models import (
    BankLine,
    BankMatch,
    Comparison,
    MatchGroup,
    MatchRule,
    Payout,
    PayoutState,
    PayoutWay,
    PayTo,
    Settlement,
    SettlementState,
    SettlementTerms,
)
from reconciliation.payouts.pain001 import CannotPay, Party, refuse_party
from reconciliation.services.locks import hold
from reconciliation.services.payout_moves import (
    bank_ref,
    lock_payouts,
    paid_legs,
    payout_move,
    record_payout,
    returned_legs,
)
from reconciliation.services.payout_proof import payout_left, payout_returned, still_out
from reconciliation.services.resolutions import refuse_vanishing

RELEASE, RELEASE_LARGE = "payout.release", "payout.release_large"
CONFIRM_PAID, CONFIRM_RETURNED = "payout.confirm_paid", "payout.confirm_returned"
MOST = 500  # payouts in one proposal
NO_ID = ("", "NOTPROVIDED", "NONREF")  # how banks write that a line has no end-to-end id
_PINNED = (
    *("state", "amount_minor", "currency", "live", "way", "account_id", "bank_sealed", "end_to_end_id"),
    *("settlement_state", "net_minor", "terms_id"),
)


def payouts_propose(*, settlement_ids: Collection[str], by: User, reason: str, actor: Actor, now: datetime) -> Proposal:
    """Make a payout for each of the settlements and ask a second person to release them.

    Raises NotFound, Forbidden, InvalidRequest (none, or too many), InvalidState (one is not to be paid out, is proposed already, or has nowhere to go;
    the sentence names it).
    """
    wanted = sorted(set(settlement_ids))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidRequest(f"A proposal is about 1 to {MOST} settlements.")
    try:
        with database.atomic():
            locked = Settlement.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=wanted)
            settlements = list(locked.select_related("merchant").order_by("pk"))
            if len(settlements) != len(wanted):
                raise NotFound("There is no such settlement.")
            _give_up_undecided(wanted, actor, now)
            payouts = [_make(settlement, actor, now) for settlement in settlements]
            proposal = propose(
                kind=RELEASE_LARGE if any(_is_large(payout) for payout in payouts) else RELEASE,
                subject_type="payout",
                subject_id=payouts[0].pk,
                merchant_id=payouts[0].merchant_id if len(payouts) == 1 else "",
                summary=_summary(payouts),
                reason=reason,
                parameters={
                    "payouts": [payout.pk for payout in payouts],
                    "to": [f"{p.merchant.code}: {p.amount} {p.currency} to {p.destination}" for p in payouts[:50]],
                },
                pins=[Pin("payout_pinned", payout.pk, _PINNED) for payout in payouts],
                by=by,
                actor=actor,
                now=now,
            )
            Payout.objects.filter(pk__in=[payout.pk for payout in payouts]).update(proposal=proposal)
    except IntegrityError as exc:
        if constraint_of(exc) == "payout_one_for_each_settlement":
            raise InvalidState("One of the settlements has a payout already.") from exc
        raise
    return proposal


def payout_cancel(*, payout_id: str, reason: str, actor: Actor, now: datetime) -> Payout:
    """Give a payout up before it leaves: its settlement may be paid out anew. Raises NotFound, InvalidState (it may have left)."""
    with database.atomic():
        [payout] = lock_payouts([payout_id])
        rows = Rows()
        payout_move(rows, payout, PayoutState.CANCELLED, actor=actor, now=now, reason=reason)
        rows.write()
    return payout


def payout_confirm(
    *,
    payout_id: str,
    returned: bool,
    by: User,
    reason: str,
    actor: Actor,
    now: datetime,
    line_id: int | None = None,
) -> Proposal:
    """Ask a second person to agree that a payout arrived, or came back, although its bank does not show it. `reason` is the evidence.

    `line_id`: the bank line that shows it without proving it by itself, one of `lines_showing`; the money is then booked from or to its account. One that is
    paid needs it. Raises NotFound, Forbidden (too much would be charges), InvalidState (it is not with the bank, or that line does not show it).
    """
    payout = Payout.objects.filter(pk=payout_id).select_related("merchant", "file").first()
    if payout is None:
        raise NotFound("There is no such payout.")
    said = f"{'came back' if returned else 'arrived'}, which no bank line shows"
    parameters: dict[str, Any] = {}
    if line_id is not None:
        line = lines_showing(payout, returned=returned).filter(pk=line_id).first()
        if line is None:
            raise InvalidState("That line does not show the payout, or is matched already.")
        said, parameters = _shown_by(payout, line), {"bank_line": line_id}
        if taken := abs(payout.amount_minor - abs(line.amount_minor)):
            refuse_vanishing(by, [Money(taken, payout.currency)])
            leg = {"kind": str(AccountKind.BANK_CHARGES), "currency": payout.currency, "minor": taken}
            parameters["legs"] = [leg]  # what the database compares with the limit
    elif payout.state != PayoutState.SENT:
        raise InvalidState(f"The payout is {payout.get_state_display().lower()}.", state=payout.state)
    return propose(
        kind=CONFIRM_RETURNED if returned else CONFIRM_PAID,
        subject_type="payout",
        subject_id=payout.pk,
        merchant_id=payout.merchant_id,
        summary=f"{payout.amount} {payout.currency} to {payout.merchant.code} {said}",
        reason=reason,
        pins=[Pin("payout_pinned", payout.pk, ("state", "amount_minor", "settlement_state"))],
        parameters=parameters,
        by=by,
        actor=actor,
        now=now,
    )


def lines_showing(payout: Payout, *, returned: bool) -> QuerySet[BankLine]:
    """Unclaimed lines that may show that a payout left, or came back, and do not prove it: of another account of ours, without its id, or more or less
    than it by what the bank took; of one that came back, what shows that it left once more. None if there is nothing to be shown any more, or yet. The nearest amount first."""
    file, shown = payout.file, BankMatch.objects.filter(payout=payout).exists()
    if file is None:
        return BankLine.objects.none()
    again = not returned and payout.state == PayoutState.RETURNED and still_out(payout, file.source, file.account_key)
    if not again and (shown is not returned or payout.state not in (PayoutState.PAID, PayoutState.SENT)):
        return BankLine.objects.none()
    named = Q(end_to_end_id=payout.end_to_end_id)
    own = Q(provider=file.source, account_key=file.account_key)
    nameless = own & Q(end_to_end_id__in=NO_ID)
    if again:
        fits = named & own & Q(amount_minor=-payout.amount_minor)
    elif returned:
        fits = (named | nameless) & Q(amount_minor__gt=0, amount_minor__lte=payout.amount_minor)
    else:
        fits = (named & ~own & Q(amount_minor=-payout.amount_minor)) | (
            (named | nameless) & own & Q(amount_minor__lte=-payout.amount_minor)
        )
    lines = BankLine.objects.filter(
        fits, statement__live=payout.live, currency=payout.currency, bank_match=None, reversal=False
    )
    return lines.order_by("-amount_minor", "pk")


def _shown_by(payout: Payout, line: BankLine) -> str:
    taken = Money(abs(payout.amount_minor - abs(line.amount_minor)), payout.currency)
    if line.amount_minor > 0:
        return f"came back by {line.reference}" + (f", {taken.text()} less for charges" if taken.minor else "")
    if payout.state == PayoutState.RETURNED:
        return f"left once more by {line.reference}: the merchant is owed it no longer"
    more = f", and {taken.text()} more as charges" if taken.minor else ""
    return f"arrived, paid from {line.provider} {line.account_key} by {line.reference}{more}"


def undecided(payouts: Any) -> Any:
    """Of a queryset of payouts, those that nobody can release any more: their proposal was rejected, withdrawn, void or expired."""
    return payouts.filter(state=PayoutState.PENDING_APPROVAL).exclude(proposal__state=ProposalState.OPEN)


def payouts_tidy(*, actor: Actor, now: datetime) -> int:
    """Cancel what nobody can release any more, so that it shows as settlements to be paid out. Returns how many."""
    done = 0
    for payout_id in list(undecided(Payout.objects.all()).values_list("pk", flat=True)[:MOST]):
        with database.atomic():
            [payout] = lock_payouts([payout_id])
            if undecided(Payout.objects.filter(pk=payout_id)).exists():
                rows = Rows()
                payout_move(rows, payout, PayoutState.CANCELLED, actor=actor, now=now, reason="Nobody released it.")
                rows.write()
                done += 1
    return done


def terms_now(settlement: Settlement) -> SettlementTerms | None:
    """The merchant's latest terms in the settlement's mode and currency."""
    key = {"merchant_id": settlement.merchant_id, "live": settlement.live, "currency": settlement.currency}
    return SettlementTerms.objects.filter(**key).order_by("-version").first()


def usable_from(terms: SettlementTerms) -> datetime | None:
    """When the terms' destination may be used. None: it is the first that the merchant ever had.

    Terms that repeat the destination of the version before keep that one's time.
    """
    key = {"merchant_id": terms.merchant_id, "live": terms.live, "currency": terms.currency}
    earlier = SettlementTerms.objects.filter(**key, version__lt=terms.version).order_by("-version")
    destination, since = _destination(terms), terms.created_at
    for before in earlier:
        if _destination(before) != destination:
            had_one = earlier.exclude(pay_to=PayTo.NOWHERE).filter(version__lte=before.version).exists()
            return since + timedelta(hours=settings.PAYOUT_COOLING_HOURS) if had_one else None
        since = before.created_at
    return None


def _destination(terms: SettlementTerms) -> tuple[str, Any]:
    if terms.pay_to == PayTo.BANK:
        return terms.pay_to, sorted(terms.open_bank().items())
    return terms.pay_to, terms.account_id


def _make(settlement: Settlement, actor: Actor, now: datetime) -> Payout:
    """The payout of a locked settlement, written. Raises InvalidState."""
    who = f"{settlement.merchant.code}'s settlement of {settlement.day}"
    if settlement.state != SettlementState.CREATED:
        raise InvalidState(f"{who} is not to be paid out: {settlement.get_state_display().lower()}.")
    terms = terms_now(settlement)
    if terms is None or terms.pay_to == PayTo.NOWHERE:
        raise InvalidState(f"{who} has nowhere to go: the merchant's terms name no account.")
    payout = Payout(
        id=new_id("pyt"),
        settlement=settlement,
        merchant=settlement.merchant,
        live=settlement.live,
        currency=settlement.currency,
        amount_minor=settlement.net_minor,
        terms=terms,
        usable_from=usable_from(terms),
        end_to_end_id=new_reference("PYT", now),
        created_at=now,
        updated_at=now,
    )
    if terms.pay_to == PayTo.ACCOUNT:
        payout.way, payout.account_id = PayoutWay.BOOK_TRANSFER, terms.account_id
        payout.destination = f"account {terms.account_id}"
    else:
        details = terms.open_bank()
        try:
            refuse_party(party_of(details))
        except CannotPay as exc:
            raise InvalidState(f"{who} cannot be paid: {exc}.") from exc
        payout.way, payout.destination = PayoutWay.BANK_FILE, f"{details['name']}, {terms.bank_hint}"[:100]
        payout.seal_bank(details)
    rows = Rows()
    rows.add(payout)
    changes: dict[str, list[Any]] = {
        "state": [None, payout.state],
        "amount_minor": [None, payout.amount_minor],
        "to": [None, payout.destination],
    }
    record_payout(rows, payout, "payout.proposed", changes, actor, now)
    rows.write()
    return payout


def party_of(details: dict[str, str]) -> Party:
    """The receiver of a payout, as a payment file names it."""
    return Party(
        name=details.get("name", ""),
        account=details.get("account", "").replace(" ", "").upper(),
        bic=details.get("bic", ""),
        bank=details.get("bank", ""),
        country=details.get("country", ""),
    )


def _give_up_undecided(settlement_ids: Sequence[str], actor: Actor, now: datetime) -> None:
    for payout in undecided(Payout.objects.filter(settlement__in=settlement_ids)).select_related("settlement"):
        rows = Rows()
        payout_move(rows, payout, PayoutState.CANCELLED, actor=actor, now=now, reason="Proposed anew.")
        rows.write()


def _is_large(payout: Payout) -> bool:
    return bool(payout.amount_minor > settings.PAYOUT_LIMIT * 10 ** exponent(payout.currency))


def _summary(payouts: Sequence[Payout]) -> str:
    totals: dict[str, int] = defaultdict(int)
    for payout in payouts:
        totals[payout.currency] += payout.amount_minor
    sums = ", ".join(Money(minor, currency).text() for currency, minor in sorted(totals.items()))
    if len(payouts) == 1:
        [payout] = payouts
        return f"Pay {sums} to {payout.merchant.code} ({'live' if payout.live else 'test'}): {payout.destination}"
    return f"Pay {sums} out to {len({payout.merchant_id for payout in payouts})} merchants in {len(payouts)} payouts"


# -- the acts ------------------------------------------------------------------------------------------------------------


def _lock(proposal: Proposal) -> None:
    if line := _line_of(proposal):
        hold(f"reconcile:{line.provider}:{line.statement.live}")
        hold(f"reconcile:banks:{line.statement.live}")
    ids = proposal.parameters.get("payouts", [proposal.subject_id])
    lock_payouts(ids)


def _release(proposal: Proposal, actor: Actor, now: datetime) -> None:
    for payout in lock_payouts(proposal.parameters["payouts"]):
        if payout.usable_from is not None and now < payout.usable_from:
            raise InvalidState(
                f"{payout.destination} is new: it may be used from {payout.usable_from:%Y-%m-%d %H:%M} UTC.",
                usableFrom=payout.usable_from.isoformat(),
            )
        rows = Rows()
        payout_move(rows, payout, PayoutState.APPROVED, actor=actor, now=now, approved_at=now)
        rows.write()
        if payout.way == PayoutWay.BOOK_TRANSFER:
            _pay_by_book(payout, actor, now)
    nudge("reconciliation.send_payouts")


def _pay_by_book(payout: Payout, actor: Actor, now: datetime) -> None:
    """Move the money to the merchant's own account, at once. Raises InvalidAccountStatus."""
    [account] = lock_accounts(payout.account_id or "", merchant_id=payout.merchant_id, live=payout.live)
    if account.status != AccountStatus.ACTIVE or account.currency != payout.currency:
        raise InvalidAccountStatus(f"Account {account.pk} is {account.status}.", accountId=account.pk)
    legs = paid_legs(payout, _purse(account))
    rows = Rows()
    payout_move(rows, payout, PayoutState.PAID, actor=actor, now=now, legs=legs)
    change_balance(rows, account, legs, fact="account.balance_changed", actor=actor, now=now)
    rows.write()


def _purse(account: Account) -> AccountRef:
    return AccountRef(
        AccountKind.CUSTOMER, account.currency, account.live, merchant_id=account.merchant_id, account_id=account.pk
    )


def _confirm_paid(proposal: Proposal, actor: Actor, now: datetime) -> None:
    [payout] = lock_payouts([proposal.subject_id])
    if (line := _line_of(proposal)) is not None:
        group = _claim(proposal, payout, line, now)
        payout_left(payout, line, group, actor, now, reason=proposal.reason, confirmed_by_id=proposal.pk, ended_at=None)
        return
    rows, legs = Rows(), paid_legs(payout, bank_ref(payout))
    payout_move(
        rows, payout, PayoutState.PAID, actor=actor, now=now, legs=legs, reason=proposal.reason, confirmed_by_id=proposal.pk
    )  # fmt: skip
    rows.write()


def _confirm_returned(proposal: Proposal, actor: Actor, now: datetime) -> None:
    [payout] = lock_payouts([proposal.subject_id])
    if (line := _line_of(proposal)) is not None:
        _claim(proposal, payout, line, now)
        payout_returned(payout, line, reason=proposal.reason, actor=actor, now=now, confirmed_by_id=proposal.pk)
        return
    rows, legs = Rows(), returned_legs(payout)
    payout_move(
        rows, payout, PayoutState.RETURNED, actor=actor, now=now, legs=legs, reason=proposal.reason, confirmed_by_id=proposal.pk
    )  # fmt: skip
    rows.write()


def _line_of(proposal: Proposal) -> BankLine | None:
    """The line that shows what people say of a payout, if the proposal names one."""
    line_id = proposal.parameters.get("bank_line")
    return BankLine.objects.select_related("statement").get(pk=line_id) if line_id is not None else None


def _claim(proposal: Proposal, payout: Payout, line: BankLine, now: datetime) -> MatchGroup:
    """The group that claims the line for what the proposal says. Raises Changed."""
    returned = proposal.kind == CONFIRM_RETURNED
    if not lines_showing(payout, returned=returned).filter(pk=line.pk).exists():
        raise Changed("The bank's line is matched already. The proposal is void.")
    taken = abs(payout.amount_minor - abs(line.amount_minor))
    explanation = {
        "compared": [],
        "differences": {"charges": taken} if taken else {},
        "reason": proposal.reason,
        "payout": payout.pk,
    }
    group = MatchGroup.objects.create(
        id=new_id("mtg"),
        comparison=Comparison.BANK,
        rule=MatchRule.BY_HAND,
        proposal=proposal,
        explanation=explanation,
        created_at=now,
    )
    BankMatch.objects.create(group=group, bank_line=line)
    return group


_PROPOSE = "reconciliation.propose_payout"
ACTS = (
    Act(RELEASE, "Pay out", _PROPOSE, "reconciliation.approve_payout", _lock, _release),
    Act(RELEASE_LARGE, "Pay out above the limit", _PROPOSE, "reconciliation.release_large_payout", _lock, _release),
    Act(CONFIRM_PAID, "A payout arrived", _PROPOSE, "reconciliation.approve_payout", _lock, _confirm_paid),
    Act(CONFIRM_RETURNED, "A payout came back", _PROPOSE, "reconciliation.approve_payout", _lock, _confirm_returned),
)
