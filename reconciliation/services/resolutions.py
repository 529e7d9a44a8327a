"""How a break ends by people: one proposes, another approves, and then it is done in one database transaction.

Done means: its items are claimed by a group that carries the proposal, so that no run finds them again; the difference is booked; the break is
closed; the fact and the audit record are written. The proposal keeps the postings as the approver sees them, and is void as soon as the break or
an operation in it says something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum

from common.approvals import Act, Changed, Pin, propose
from common.changes import Actor, Subject, record_change
from common.errors import Forbidden, InvalidState, NotFound
from common.ids import new_id
from common.models import Proposal
from common.money import Money
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from payments.models import Operation, Posting
from payments.models.ledger import AccountKind
from reconciliation.models import (
    BankMatch,
    Break,
    BreakKind,
    Comparison,
    Match,
    MatchGroup,
    MatchRule,
    Resolution,
    StatementLine,
    WriteOffLimit,
)
from reconciliation.services.claims import COUNTER_ACCOUNTS, Items, gather, is_dispute, own_items, refuse_claimed
from reconciliation.services.day_figures import amounts_text
from reconciliation.services.disputes import dispute_count, dispute_hold, refuse_dispute
from reconciliation.services.locks import hold

MATCH, ADJUST, WRITE_OFF, DISPUTE = "break.match", "break.adjust", "break.write_off", "break.dispute"
_ENDS = {  # act -> (resolution, fact)
    MATCH: (Resolution.MATCHED, "break.matched"),
    ADJUST: (Resolution.ADJUSTED, "break.adjusted"),
    WRITE_OFF: (Resolution.WRITTEN_OFF, "break.written_off"),
    DISPUTE: (Resolution.DISPUTED, "dispute.charged_back"),
}
_BREAK_PIN = (
    "kind",
    "line_id",
    "operation_id",
    "bank_line_id",
    "remittance_id",
    "payout_id",
    "our_minor",
    "their_minor",
    "resolved_at",
)
_OPERATION_PIN = ("state", "amount_minor", "currency", "provider_reference")


def propose_resolution(
    *,
    kind: str,
    break_id: int,
    by: User,
    reason: str,
    actor: Actor,
    now: datetime,
    lines: Sequence[int] = (),
    operations: Sequence[str] = (),
    bank_lines: Sequence[int] = (),
    remittances: Sequence[str] = (),
    counter: str = AccountKind.DIFFERENCES,
) -> Proposal:
    """Ask to end a break. For `break.match` the keys are what its own items belong with; `counter` takes the difference.

    Raises NotFound, InvalidState (resolved, claimed, outcome not known, not of this kind), Forbidden (permission, limit).
    """
    if counter not in (*COUNTER_ACCOUNTS, AccountKind.SUSPENSE):
        raise InvalidState("A difference is not booked by hand against this account.")
    found = Break.objects.select_related("operation", "line").filter(pk=break_id).first()
    if found is None:
        raise NotFound("There is no such break.")
    if found.resolved_at is not None:
        raise InvalidState("The break is resolved.")
    chosen = any((lines, operations, bank_lines, remittances))
    own = own_items(found, both_sides=kind == MATCH and not chosen)
    items = own
    if kind == MATCH:
        items = gather(
            found,
            comparison=own.comparison,
            lines={*(x.pk for x in own.lines), *lines},
            operations={*(x.pk for x in own.operations), *operations},
            bank_lines={*(x.pk for x in own.bank_lines), *bank_lines},
            remittances={*(x.pk for x in own.remittances), *remittances},
        )
        if not _belong_together(items):
            raise InvalidState("Choose something on the other side to match it with.")
    elif chosen:
        raise InvalidState("Only matching by hand takes other items.")
    refuse_claimed(items)
    return _propose(kind, found, items, AccountKind(counter), by, reason, actor, now)


def _propose(
    kind: str, found: Break, items: Items, counter: AccountKind, by: User, reason: str, actor: Actor, now: datetime
) -> Proposal:
    if kind == DISPUTE:
        if not is_dispute(items):
            raise InvalidState("It is not a chargeback of one of our accounts.")
        refuse_dispute(items.lines[0])
        counter = AccountKind.MERCHANT_PAYABLE
    differences = items.differences()
    if len(differences) > 1:  # exchanged: each currency balances by itself
        counter = AccountKind.FX_CLEARING
    legs, breaks = items.legs(counter), _ended_breaks(found, items)
    if counter == AccountKind.SUSPENSE:
        if kind != ADJUST or items.comparison != Comparison.BANK or items.remittances:
            raise InvalidState("Only what a bank shows waits in suspense, or is paid out of it, by an adjustment.")
        _refuse_overdrawn(legs)
    if kind in (ADJUST, WRITE_OFF, MATCH):
        _refuse_above_limit(by, breaks, legs, differences)
    return propose(
        kind=kind,
        subject_type="break",
        subject_id=str(found.pk),
        merchant_id=_merchant_of(items),
        summary=_summary(kind, found, items, differences, legs),
        reason=reason,
        pins=[
            *(Pin("reconciliation_break", str(each.pk), _BREAK_PIN) for each in breaks),
            *(Pin("operation", each.pk, _OPERATION_PIN) for each in items.operations),
        ],
        parameters={
            "provider": found.provider,
            "live": found.live,
            "breaks": [each.pk for each in breaks],
            "comparison": items.comparison,
            "lines": [x.pk for x in items.lines],
            "operations": [x.pk for x in items.operations],
            "bank_lines": [x.pk for x in items.bank_lines],
            "remittances": [x.pk for x in items.remittances],
            "differences": differences,
            "legs": [_leg_as_json(leg) for leg in legs],
        },
        by=by,
        actor=actor,
        now=now,
    )


def _belong_together(items: Items) -> bool:
    """Something on both sides, or several of one side that cancel each other out."""
    if (items.lines and items.operations) or (items.bank_lines and items.remittances):
        return True
    return len([*items.lines, *items.operations, *items.bank_lines, *items.remittances]) > 1 and not items.differences()


def _ended_breaks(found: Break, items: Items) -> list[Break]:
    """This break and those that are about nothing but claimed items: they end with it."""
    claimed: dict[str, set[Any]] = {
        "line_id": {x.pk for x in items.lines},
        "operation_id": {x.pk for x in items.operations},
        "bank_line_id": {x.pk for x in items.bank_lines},
        "remittance_id": {x.pk for x in items.remittances},
    }
    ended = [found]
    for column, keys in claimed.items():
        for other in Break.objects.filter(**{f"{column}__in": keys}, resolved_at=None).order_by("pk"):
            covered = all(getattr(other, name) in (None, *keys_) for name, keys_ in claimed.items())
            if covered and other not in ended:
                ended.append(other)
    return sorted(ended, key=lambda each: each.pk)


def _refuse_overdrawn(legs: Sequence[Leg]) -> None:
    """Raises InvalidState if more would leave the house's suspense than waits there: what came for accounts that are not ours."""
    for leg in legs:
        if leg.account.kind == AccountKind.SUSPENSE and leg.minor > 0:
            booked = Posting.objects.filter(account=leg.account.code).aggregate(minor=Sum("amount_minor"))["minor"]
            waits = Money(max(-(booked or 0), 0), leg.account.currency)
            if leg.minor > waits.minor:
                raise InvalidState(f"Only {waits.text()} waits in suspense.")


def _refuse_above_limit(by: User, breaks: Sequence[Break], legs: Sequence[Leg], differences: Mapping[str, int]) -> None:
    """Raises Forbidden if more than the limit would vanish and this person may not propose that.

    What vanishes is what is booked on the accounts for differences, and a difference that books nothing: of an account that is not ours.
    """
    vanishing = [Money(abs(leg.minor), leg.account.currency) for leg in legs if leg.account.kind in COUNTER_ACCOUNTS]
    vanishing += [Money(abs(minor), currency) for currency, minor in differences.items()]
    for fee in (each for each in breaks if each.kind == BreakKind.FEE_MISMATCH):
        vanishing.append(Money(abs((fee.their_minor or 0) - (fee.our_minor or 0)), fee.their_currency))
    refuse_vanishing(by, vanishing)


def refuse_vanishing(by: User, vanishing: Sequence[Money]) -> None:
    """Raises Forbidden if one of the amounts is above the limit and this person may not propose that; the database says the same (migration 0053)."""
    if by.has_perm("reconciliation.write_off_any_break"):
        return
    limits = dict(WriteOffLimit.objects.values_list("currency", "limit_minor"))
    for amount in vanishing:
        limit = Money(limits.get(amount.currency, 0), amount.currency)
        if amount.minor > limit.minor:
            raise Forbidden(f"{amount.text()} is above your limit of {limit.text()}: ask somebody who may propose it.")


def _merchant_of(items: Items) -> str:
    found = {line.provider_account.merchant_id for line in items.lines if line.provider_account is not None}
    return found.pop() if len(found) == 1 else ""


def _summary(kind: str, found: Break, items: Items, differences: dict[str, int], legs: Sequence[Leg]) -> str:
    what = {
        MATCH: "Match by hand",
        ADJUST: "Adjust by journal",
        WRITE_OFF: "Write off",
        DISPUTE: "Book the dispute",
    }[kind]
    count = items.count()
    debits: Counter[str] = Counter()
    for leg in legs:
        debits[leg.account.currency] += max(leg.minor, 0)
    booked = f"; booked {amounts_text(debits)}" if legs else "; nothing to book"
    plural = "item" if count == 1 else "items"
    return f"{what}: {found.get_kind_display().lower()}, {found.provider} {found.day}, {count} {plural}, difference {amounts_text(differences)}{booked}"


def _lock(proposal: Proposal) -> None:
    parameters = proposal.parameters
    hold(f"reconcile:{parameters['provider']}:{parameters['live']}")
    if parameters["comparison"] == Comparison.BANK:
        hold(f"reconcile:banks:{parameters['live']}")
    if proposal.kind == DISPUTE:
        dispute_hold(StatementLine.objects.get(pk__in=parameters["lines"]))
    list(
        Operation.objects.filter(pk__in=parameters["operations"])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )
    list(
        Break.objects.filter(pk__in=parameters["breaks"])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk")
    )


def _execute(proposal: Proposal, actor: Actor, now: datetime) -> None:
    parameters = proposal.parameters
    found = Break.objects.get(pk=int(proposal.subject_id))
    items = gather(
        found, comparison=parameters["comparison"], lines=parameters["lines"], operations=parameters["operations"],
        bank_lines=parameters["bank_lines"], remittances=parameters["remittances"],
    )  # fmt: skip
    try:
        refuse_claimed(items)
        if proposal.kind == ADJUST and not items.remittances:
            _refuse_overdrawn([_leg_of(leg) for leg in parameters["legs"]])
        if proposal.kind == DISPUTE:
            refuse_dispute(items.lines[0])
            dispute_count(items.lines[0])
    except InvalidState as exc:
        raise Changed(f"{exc.message} The proposal is void.") from exc
    resolution, fact = _ENDS[proposal.kind]
    if proposal.kind == DISPUTE and items.lines[0].amount_minor > 0:
        fact = "dispute.reversed"
    group_id = new_id("mtg")
    entry_id = _book(group_id, fact, found, proposal, actor, now)
    group = MatchGroup.objects.create(
        id=group_id,
        comparison=items.comparison,
        rule=MatchRule.BY_HAND,
        proposal=proposal,
        entry_id=entry_id,
        explanation={
            "compared": [],
            "differences": {"amount": parameters["differences"]},
            "reason": proposal.reason,
            "decided": fact,
        },
        created_at=now,
    )
    _claim(group, items)
    Break.objects.filter(pk__in=parameters["breaks"], resolved_at=None).update(
        resolved_at=now, resolved_by_proposal=proposal, resolution=resolution
    )


def _book(group_id: str, fact: str, found: Break, proposal: Proposal, actor: Actor, now: datetime) -> str | None:
    """The fact, its audit record and, if there is something to book, its journal entry, whose id is returned."""
    parameters = proposal.parameters
    rows = Rows()
    fact_id = record_change(
        rows,
        subject=Subject("match_group", group_id, 1, proposal.merchant_id, found.live),
        fact=fact,
        payload={
            "matchGroupId": group_id,
            "proposalId": proposal.pk,
            "breaks": parameters["breaks"],
            "provider": found.provider,
            "differences": {c: str(Money(minor, c)) for c, minor in parameters["differences"].items()},
        },
        changes={"breaks": [None, parameters["breaks"]], "proposal": [None, proposal.pk]},
        actor=actor,
        now=now,
        reason=proposal.reason,
    )
    legs = [_leg_of(leg) for leg in parameters["legs"]]
    entry_id = post(rows, fact_id=fact_id, fact_name=fact, transaction_id=None, legs=legs, now=now) if legs else None
    rows.write()
    return entry_id


def _claim(group: MatchGroup, items: Items) -> None:
    if items.comparison == Comparison.BANK:
        BankMatch.objects.bulk_create(
            [BankMatch(group=group, bank_line=x) for x in items.bank_lines]
            + [BankMatch(group=group, remittance=x) for x in items.remittances]
        )
        return
    Match.objects.bulk_create(
        [Match(group=group, line=x, rule=MatchRule.BY_HAND) for x in items.lines]
        + [Match(group=group, operation=x, rule=MatchRule.BY_HAND) for x in items.operations]
    )


def _leg_as_json(leg: Leg) -> dict[str, Any]:
    account = leg.account
    return {
        "kind": str(account.kind),
        "currency": account.currency,
        "live": account.live,
        "merchant_id": account.merchant_id,
        "provider_account_id": account.provider_account_id,
        "bank_account": account.bank_account,
        "minor": leg.minor,
    }


def _leg_of(stored: dict[str, Any]) -> Leg:
    fields = {name: value for name, value in stored.items() if name != "minor"}
    return Leg(AccountRef(**(fields | {"kind": AccountKind(stored["kind"])})), stored["minor"])


ACTS = tuple(
    Act(kind, title, "reconciliation.propose_break", "reconciliation.approve_break", _lock, _execute)
    for kind, title in (
        (MATCH, "Match by hand"),
        (ADJUST, "Adjust by journal"),
        (WRITE_OFF, "Write off"),
        (DISPUTE, "Book a chargeback or its reversal"),
    )
)
