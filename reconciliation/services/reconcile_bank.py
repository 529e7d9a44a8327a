"""Reconciling a bank's day: its lines, the remittances and payouts that are due, and what is still open from before. One transaction, under one lock per mode.

A day that is compared again is judged as of the last day that was: what is missed stays missed until it is shown, whatever day is asked for.
Remittances are everybody's: whichever bank has the money may claim them, so the banks of a mode are compared one after the other. What arrived is
booked once per group: from what the provider owes us to the bank, with the bank's charges, the exchange and the tolerated rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain
from time import monotonic
from typing import Any

from django.db import transaction as database
from django.db.models import F, Max, Q, QuerySet

from common.changes import Actor, Subject
from common.ids import new_id
from common.rows import Rows
from payments.ledger.accounts import AccountRef
from payments.ledger.recipes import Leg
from payments.models.ledger import AccountKind
from reconciliation.matching.bank import (
    Arrived,
    BankRule,
    Finding,
    Group,
    Owed,
    compare_bank,
    nearest_lines,
    nearest_owed,
)
from reconciliation.matching.rules import rules_of
from reconciliation.models import (
    BankLine,
    BankMatch,
    Break,
    BreakKind,
    Comparison,
    MatchGroup,
    Payout,
    PayoutState,
    ReconciliationRun,
    Remittance,
    Resolution,
    Source,
    Statement,
    StatementState,
)
from reconciliation.selectors import payout_due_on, payouts_with
from reconciliation.services.booking import book
from reconciliation.services.locks import hold, patient
from reconciliation.services.payout_proof import misfits, payouts_prove
from reconciliation.services.rule_sets import rule_set_live
from reconciliation.sources import due_at

FACT = "remittance.received"
_LOOK_BACK = timedelta(days=45)  # for entries that a reversal may take back, and remittances that may be paid twice


def reconcile_bank_day(
    *,
    source: Source,
    live: bool,
    day: date,
    actor: Actor,
    now: datetime,
    progress: Callable[[str], None] = lambda step: None,
) -> ReconciliationRun:
    """Compare what the bank's statements have up to `day` with what providers owe us. Safe to run any number of times, at the same time too."""
    rule_set = rule_set_live(provider=source.code, comparison=Comparison.BANK, now=now)
    rules = bank_rules(source, rule_set.rules)
    run = ReconciliationRun.objects.create(
        id=new_id("run"),
        provider=source.code,
        live=live,
        day=day,
        actor=actor.name,
        comparison=Comparison.BANK,
        rule_set=rule_set,
        started_at=now,
    )
    begun = monotonic()
    with database.atomic(durable=True):
        patient()
        hold(f"reconcile:{source.code}:{live}")
        hold(f"reconcile:banks:{live}")
        progress("match payouts")
        payouts_prove(run=run, actor=actor, now=now)
        progress("compare with the remittances")
        until = _last_compared(run)
        day_has_come = _day_has_come(source, live, until, now)
        missed = set(_missed(run).filter(bank_line=None).values_list("remittance", flat=True))
        lines = arrived_open(_open_lines(source, live), live=live)
        owed = [owed_of(x) for x in _open_remittances(live, until, rules)]
        outcome = compare_bank(
            lines,
            owed,
            rules,
            is_late=lambda x: x.id in missed or day_has_come(x.due_on + timedelta(days=source.day_tolerance)),
            settled=[owed_of(x) for x in settled_before(live, day)],
            earlier=[arrived(x) for x in claimed_lines(source, live, day)],
        )
        progress("match")
        for group in outcome.groups:
            _keep(run, group, rule_set.version, actor, now)
        progress("close and open breaks")
        left = _differences(outcome.findings, lines, owed, source)
        _keep_breaks(run, chain(left, _unshown(run, source, lines, day_has_come)), source, now)
        _count(run)
        run.ended_at = now + timedelta(seconds=monotonic() - begun)
        run.save()
    return run


def bank_rules(source: Source, rules: Any) -> list[BankRule]:
    """A rule set's rules, with the source's tolerances where a rule has none of its own."""
    return [
        BankRule(
            rule.by,
            source.amount_tolerance_minor if rule.amount_minor is None else rule.amount_minor,
            source.day_tolerance if rule.days is None else rule.days,
        )
        for rule in rules_of(Comparison.BANK, rules)
    ]


def _last_compared(run: ReconciliationRun) -> date:
    """The run's day, or a later one that was compared before: an older day compared again takes back nothing that a later one has found."""
    ended = ReconciliationRun.objects.filter(provider=run.provider, live=run.live, comparison=Comparison.BANK)
    last = ended.filter(ended_at__isnull=False).aggregate(last=Max("day"))["last"]
    return max(run.day, last or run.day)


def _missed(run: ReconciliationRun) -> QuerySet[Break]:
    """The open breaks of what was due and not shown: other due days, agreed on later, show nothing."""
    return Break.objects.filter(
        provider=run.provider, live=run.live, resolved_at=None, kind=BreakKind.MISSING_AT_PROVIDER, line=None
    )


def _open_lines(source: Source, live: bool) -> Any:
    return BankLine.objects.filter(provider=source.code, statement__live=live, bank_match=None).order_by("id")


def claimed_lines(source: Source, live: bool, day: date) -> Any:
    return BankLine.objects.filter(
        provider=source.code, statement__live=live, bank_match__isnull=False, booked_on__gte=day - _LOOK_BACK
    ).order_by("id")


def _open_remittances(live: bool, day: date, rules: Sequence[BankRule]) -> Any:
    """Those that may have arrived by `day`."""
    latest = day + timedelta(days=max(rule.days for rule in rules))
    return Remittance.objects.filter(live=live, bank_match=None, due_on__lte=latest).exclude(net_minor=0).order_by("id")


def settled_before(live: bool, day: date) -> Any:
    return Remittance.objects.filter(live=live, bank_match__isnull=False, due_on__gte=day - _LOOK_BACK).order_by("id")


def arrived_open(lines: Collection[BankLine], *, live: bool) -> list[Arrived]:
    """Lines that nothing has claimed; of one that names a payout, why it does not prove it."""
    why = misfits(lines, live=live)
    return [replace(arrived(line), misfit=why.get(line.pk, "")) for line in lines]


def arrived(line: BankLine) -> Arrived:
    return Arrived(
        id=line.pk,
        account=f"{line.provider}/{line.account_key}",
        currency=line.currency,
        minor=line.amount_minor,
        booked_on=line.booked_on,
        text=f"{line.end_to_end_id} {line.narrative}".strip(),
        reference=line.reference,
        reversal=line.reversal,
        charges=line.charges_minor,
        instructed_currency=line.instructed_currency,
        instructed_minor=line.instructed_minor,
    )


def owed_of(remittance: Remittance) -> Owed:
    return Owed(
        id=remittance.pk,
        provider=remittance.provider,
        account_key=remittance.account_key,
        currency=remittance.currency,
        minor=remittance.net_minor,
        day=remittance.day,
        due_on=remittance.due_on,
    )


def _day_has_come(source: Source, live: bool, until: date, now: datetime) -> Callable[[date], bool]:
    """Whether the bank has spoken of a day that this run may judge, or should have."""
    spoken = Statement.objects.filter(provider=source.code, live=live, state=StatementState.IMPORTED)
    last = spoken.order_by("-day").values_list("day", flat=True).first()

    def come(day: date) -> bool:
        return day <= until and ((last is not None and day <= last) or now >= due_at(source, day))

    return come


def _keep(run: ReconciliationRun, group: Group, version: int, actor: Actor, now: datetime) -> None:
    """The group with its claims, and its bookkeeping."""
    group_id, rows = new_id("mgr"), Rows()
    legs = _legs(run.live, group)
    entry = None
    if legs:
        entry = book(
            rows,
            fact=FACT,
            subject=Subject("match_group", group_id, 1, "", run.live),
            payload={
                "matchGroupId": group_id,
                "bankLines": [x.id for x in group.lines],
                "remittances": [x.id for x in group.owed],
            },
            legs=legs,
            actor=actor,
            now=now,
        )
        rows.write()
    MatchGroup.objects.create(
        id=group_id,
        comparison=Comparison.BANK,
        rule=group.rule,
        run=run,
        entry_id=entry,
        explanation=_explanation(group, version),
        created_at=now,
    )
    BankMatch.objects.bulk_create(
        [BankMatch(group_id=group_id, bank_line_id=x.id) for x in group.lines]
        + [BankMatch(group_id=group_id, remittance_id=x.id) for x in group.owed]
    )


def _legs(live: bool, group: Group) -> list[Leg]:
    """Debit what the bank has and kept, credit what the providers owed; another currency goes through fx_clearing; the rest is a difference.

    None for an entry and its reversal: the account is as it was, and what the bank kept or exchanged of the one it took back with the other.
    """
    if not group.owed:
        return []
    legs: dict[AccountRef, int] = defaultdict(int)
    for line in group.lines:
        legs[AccountRef(AccountKind.BANK, line.currency, live, bank_account=line.account)] += line.minor
        legs[AccountRef(AccountKind.BANK_CHARGES, line.currency, live)] += line.charges
        if line.exchanged:
            currency, minor = line.sent()
            legs[AccountRef(AccountKind.FX_CLEARING, line.currency, live)] -= line.minor + line.charges
            legs[AccountRef(AccountKind.FX_CLEARING, currency, live)] += minor
    accounts = dict(
        Remittance.objects.filter(pk__in=[x.id for x in group.owed]).values_list("pk", "provider_account_id")
    )
    for remittance in group.owed:
        account_id = accounts[remittance.id]
        kind = AccountKind.PROVIDER_RECEIVABLE if account_id else AccountKind.SUSPENSE
        legs[AccountRef(kind, remittance.currency, live, provider_account_id=account_id)] -= remittance.minor
    legs[AccountRef(AccountKind.DIFFERENCES, group.currency, live)] -= group.difference
    return [Leg(account, minor) for account, minor in legs.items() if minor]


def _explanation(group: Group, version: int) -> dict[str, Any]:
    moved = group.lines if group.owed else []  # of an entry and its reversal nothing stays
    theirs, ours = sum(x.sent()[1] for x in moved), sum(x.minor for x in group.owed)
    differences: dict[str, Any] = {}
    if group.difference:
        differences["amount"] = group.difference
    if charges := sum(x.charges for x in moved):
        differences["charges"] = charges
    if exchanged := [x for x in moved if x.exchanged]:
        differences["fx"] = [{"sent": [*x.sent()], "booked": [x.currency, x.minor]} for x in exchanged]
    named = all(any(y.named_by(x) for x in group.lines) for y in group.owed)
    days = [abs((x.booked_on - y.due_on).days) for x in group.lines for y in group.owed]
    return {
        "rule": group.rule,
        "version": version,
        "items": {"bank_lines": len(group.lines), "remittances": len(group.owed)},
        "compared": [
            {"field": "amount_minor", "ours": ours, "theirs": theirs, "agrees": ours == theirs},
            {
                "field": "currency",
                "ours": group.currency,
                "theirs": group.lines[0].sent()[0] if moved else group.currency,
                "agrees": True,
            },
            {"field": "named", "ours": len(group.owed), "theirs": None, "agrees": named},
            {"field": "days_apart", "ours": None, "theirs": max(days, default=0), "agrees": True},
        ],
        "differences": differences,
        "runner_up": group.runner_up,
    }


@dataclass(frozen=True, slots=True)
class _Difference:
    """A break as it is now, by the columns of its row."""

    kind: str
    day: date
    cause: str
    nearest: list[dict[str, Any]]
    bank_line_id: int | None = None
    remittance_id: str | None = None
    payout_id: str | None = None
    our_currency: str = ""
    our_minor: int | None = None
    their_currency: str = ""
    their_minor: int | None = None

    @property
    def key(self) -> tuple[str, int | None, str | None, str | None]:
        return self.kind, self.bank_line_id, self.remittance_id, self.payout_id


def _differences(
    findings: Sequence[Finding], lines: Sequence[Arrived], owed: Sequence[Owed], source: Source
) -> Iterator[_Difference]:
    """What the comparison with the remittances has left."""
    days = dict(BankLine.objects.filter(pk__in=[x.id for x in lines]).values_list("pk", "statement__day"))
    taken_lines = {x.line.id for x in findings if x.line and x.owed}
    free_lines = [x for x in lines if x.id not in taken_lines]
    for finding in findings:
        line, remittance = finding.line, finding.owed
        yield _Difference(
            kind=finding.kind,
            day=days[line.id] if line else _missed_on(remittance, source),
            cause=finding.cause,
            nearest=_nearest(finding, free_lines, owed),
            bank_line_id=line.id if line else None,
            remittance_id=remittance.id if remittance else None,
            our_currency=remittance.currency if remittance else "",
            our_minor=remittance.minor if remittance else None,
            their_currency=line.sent()[0] if line else "",
            their_minor=line.sent()[1] if line else None,
        )


def _unshown(
    run: ReconciliationRun, source: Source, lines: Sequence[Arrived], day_has_come: Callable[[date], bool]
) -> Iterator[_Difference]:
    """Payouts that this bank has had for longer than it needs, and has not shown."""
    since_sent = _missed(run).filter(
        first_seen_at__gte=F("payout__sent_at")
    )  # one that was sent again has its days anew
    missed = set(since_sent.values_list("payout", flat=True))
    for payout in payouts_with(source, live=run.live):
        due_on = payout_due_on(payout, source)
        if payout.pk not in missed and not day_has_come(due_on):
            continue
        named = [x for x in lines if payout.end_to_end_id in x.text] or _elsewhere(payout)
        cause = "We sent it to the bank, it is due, and the bank does not show it."
        if named:
            cause = f"The bank does not show that it left, only {_shown(named[0], payout)}, which does not fit."
        wanted = Owed(payout.pk, "payout", payout.end_to_end_id, payout.currency, -payout.amount_minor, due_on, due_on)
        yield _Difference(
            kind=BreakKind.MISSING_AT_PROVIDER,
            day=due_on,
            cause=cause,
            nearest=[entry | {"proposal": None} for entry in nearest_lines(wanted, named or lines)],
            payout_id=payout.pk,
            our_currency=payout.currency,
            our_minor=-payout.amount_minor,
        )


def _elsewhere(payout: Payout) -> list[Arrived]:
    """Unclaimed lines of other banks of ours that name it."""
    lines = BankLine.objects.filter(
        end_to_end_id=payout.end_to_end_id, statement__live=payout.live, bank_match=None
    ).order_by("pk")
    return [arrived(line) for line in lines]


def _shown(line: Arrived, payout: Payout) -> str:
    """The bank's reference of a line, with its account if it is another one than the payout's."""
    ours = payout.file is not None and line.account == f"{payout.file.source}/{payout.file.account_key}"
    return line.reference if ours else f"{line.account.replace('/', ' ', 1)} {line.reference}"


def _keep_breaks(run: ReconciliationRun, differences: Iterable[_Difference], source: Source, now: datetime) -> None:
    """Open, confirm or close: the breaks of this bank's lines and payouts, and of remittances of this mode."""
    explained = {"resolved_at": now, "resolved_by_run": run, "resolution": Resolution.EXPLAINED}
    refused = Break.objects.filter(payout__file__source=source.code, live=run.live, resolved_at=None)
    refused = refused.filter(payout__state=PayoutState.SENT).exclude(
        provider=source.code
    )  # by a bank that had it before
    run.breaks_closed = refused.update(**explained)
    open_ = {
        (found.kind, found.bank_line_id, found.remittance_id, found.payout_id): found
        for found in Break.objects.filter(
            Q(provider=source.code) | Q(bank_line=None), live=run.live, resolved_at=None, line=None, operation=None
        )
    }
    kept = set()
    for each in differences:
        kept.add(each.key)
        if (found := open_.get(each.key)) is not None:
            Break.objects.filter(pk=found.pk).update(last_seen_at=now, cause=each.cause, nearest=each.nearest)
            continue
        Break.objects.create(
            run=run, provider=source.code, live=run.live, first_seen_at=now, last_seen_at=now, **asdict(each)
        )
        run.breaks_opened += 1
    # What another bank misses stays open until somebody has it.
    others = [found for found in open_.values() if found.provider != source.code]
    matches = BankMatch.objects.filter(
        Q(remittance__in=[found.remittance_id for found in others if found.remittance_id])
        | Q(payout__in=[found.payout_id for found in others if found.payout_id])
    )
    claimed = set(matches.values_list("remittance", "payout"))
    gone = [
        found.pk
        for key, found in open_.items()
        if key not in kept and (found.provider == source.code or (found.remittance_id, found.payout_id) in claimed)
    ]
    run.breaks_closed += Break.objects.filter(pk__in=gone).update(**explained)


def _missed_on(remittance: Owed | None, source: Source) -> date:
    assert remittance is not None  # noqa: S101 -- a finding has a line or a remittance
    return remittance.due_on + timedelta(days=source.day_tolerance)


def _nearest(finding: Finding, lines: Sequence[Arrived], owed: Sequence[Owed]) -> list[dict[str, Any]]:
    if finding.line is not None and finding.owed is not None:
        return nearest_owed(finding.line, [finding.owed])
    if finding.line is not None:
        return nearest_owed(finding.line, owed)
    return nearest_lines(finding.owed, lines) if finding.owed else []


def _count(run: ReconciliationRun) -> None:
    """The run's figures: the day's lines, and the remittances that are due on it."""
    lines = BankLine.objects.filter(provider=run.provider, statement__live=run.live, statement__day=run.day)
    for currency, minor, matched in lines.values_list("currency", "amount_minor", "bank_match"):
        of_currency = run.totals.setdefault(currency, {"matched": 0, "broken": 0})
        of_currency["broken" if matched is None else "matched"] += minor
        run.lines += 1
        run.lines_matched += matched is not None
    run.lines_broken = run.lines - run.lines_matched
    due = Remittance.objects.filter(live=run.live, due_on=run.day).exclude(net_minor=0)
    broken = Break.objects.filter(live=run.live, resolved_at=None, remittance__in=due).values("remittance")
    run.operations = due.count()
    run.operations_matched = due.filter(bank_match__isnull=False).count()
    run.operations_broken = due.filter(bank_match=None, pk__in=broken).count()
    run.operations_expected = run.operations - run.operations_matched - run.operations_broken
