"""Rule sets: the live one, drafts, and going live by two people.

A source begins with the rules that come with the product; when a release brings others, they follow by themselves as long as nobody has made
own ones live. A draft is edited, rehearsed and proposed; approving it retires what was live, in one transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction as database

from common.approvals import Act, Pin, propose
from common.audit import record_action
from common.changes import Actor
from common.errors import InvalidState, NotFound
from common.ids import new_id
from common.models import Proposal
from reconciliation.matching.rules import BUILT_IN, rules_of
from reconciliation.models import RuleSet, RuleSetState
from reconciliation.services.locks import hold

ACTIVATE = "ruleset.activate"


def rule_set_live(*, provider: str, comparison: str, now: datetime) -> RuleSet:
    """The version that decides now. The built-in one is added, or followed by the newer built-in one, where that is due."""
    live = RuleSet.objects.filter(provider=provider, comparison=comparison, state=RuleSetState.LIVE).first()
    if live is not None and not (live.built_in and live.rules != BUILT_IN[comparison]):
        return live
    with database.atomic():
        hold(f"rule_set:{provider}:{comparison}")
        live = RuleSet.objects.filter(provider=provider, comparison=comparison, state=RuleSetState.LIVE).first()
        if live is not None:
            if not live.built_in or live.rules == BUILT_IN[comparison]:
                return live
            RuleSet.objects.filter(pk=live.pk).update(state=RuleSetState.RETIRED)
        return RuleSet.objects.create(
            id=new_id("rls"),
            provider=provider,
            comparison=comparison,
            version=_next_version(provider, comparison),
            state=RuleSetState.LIVE,
            rules=BUILT_IN[comparison],
            note="Comes with the product.",
            built_in=True,
            created_at=now,
            live_from=now,
        )


def rule_set_draft(*, of: RuleSet, by: User | None, note: str, actor: Actor, now: datetime) -> RuleSet:
    """Copy any version to a new draft; `note` says what it is for."""
    with database.atomic():
        hold(f"rule_set:{of.provider}:{of.comparison}")
        draft = RuleSet.objects.create(
            id=new_id("rls"),
            provider=of.provider,
            comparison=of.comparison,
            version=_next_version(of.provider, of.comparison),
            rules=of.rules,
            note=note,
            made_by=by,
            created_at=now,
        )
        _record(draft, "rule_set.drafted", {"from": of.version}, actor, now)
    return draft


def rule_set_edit(*, rule_set_id: str, rules: Any, note: str, actor: Actor, now: datetime) -> RuleSet:
    """Change a draft. Raises InvalidRules, InvalidState (it is no draft any more), NotFound."""
    with database.atomic():
        draft = _draft(rule_set_id)
        rules_of(draft.comparison, rules)
        before, draft.rules, draft.note = draft.rules, rules, note
        draft.save(update_fields=["rules", "note"])
        _record(draft, "rule_set.edited", {"rules": [before, rules]}, actor, now)
    return draft


def rule_set_discard(*, rule_set_id: str, reason: str, actor: Actor, now: datetime) -> None:
    """Give a draft up; it stays to be read. Raises InvalidState, NotFound."""
    with database.atomic():
        draft = _draft(rule_set_id)
        draft.state = RuleSetState.DISCARDED
        draft.save(update_fields=["state"])
        _record(draft, "rule_set.discarded", {}, actor, now, reason)


def rule_set_propose(*, rule_set_id: str, reason: str, by: User, actor: Actor, now: datetime) -> Proposal:
    """Ask a second person to let a draft go live. Pinned: its rules, and what is live. Raises as common.approvals.propose does."""
    draft = RuleSet.objects.filter(pk=rule_set_id).first()
    if draft is None:
        raise NotFound("There is no such rule set.")
    if draft.state != RuleSetState.DRAFT:
        raise InvalidState("Only a draft can go live.", state=draft.state)
    rules_of(draft.comparison, draft.rules)
    live = rule_set_live(provider=draft.provider, comparison=draft.comparison, now=now)
    return propose(
        kind=ACTIVATE,
        subject_type="rule_set",
        subject_id=draft.pk,
        summary=f"Let version {draft.version} of the rules of {draft.provider} ({draft.get_comparison_display()}) go live instead of "
        f"version {live.version}: {'; '.join(rule['by'] for rule in draft.rules)}.",
        reason=reason,
        pins=[
            Pin("reconciliation_rule_set", draft.pk, ("rules", "state")),
            Pin("reconciliation_rule_set", live.pk, ("state",)),
        ],
        by=by,
        actor=actor,
        now=now,
        parameters={"rules": draft.rules, "instead_of": live.pk},
    )


def _lock(proposal: Proposal) -> None:
    draft = RuleSet.objects.get(pk=proposal.subject_id)
    hold(f"rule_set:{draft.provider}:{draft.comparison}")
    list(
        RuleSet.objects.select_for_update()
        .filter(pk__in=[draft.pk, proposal.parameters["instead_of"]])
        .order_by("version")
    )


def _activate(proposal: Proposal, actor: Actor, now: datetime) -> None:
    draft = RuleSet.objects.get(pk=proposal.subject_id)
    RuleSet.objects.filter(pk=proposal.parameters["instead_of"]).update(state=RuleSetState.RETIRED)
    draft.state, draft.proposal, draft.live_from = RuleSetState.LIVE, proposal, now
    draft.save(update_fields=["state", "proposal", "live_from"])
    _record(draft, "rule_set.went_live", {"instead_of": proposal.parameters["instead_of"]}, actor, now)


ACT = Act(
    kind=ACTIVATE,
    title="Let a rule set go live",
    may_propose="reconciliation.propose_ruleset",
    may_approve="reconciliation.approve_ruleset",
    lock=_lock,
    execute=_activate,
)


def _next_version(provider: str, comparison: str) -> int:
    last = RuleSet.objects.filter(provider=provider, comparison=comparison).order_by("-version").first()
    return last.version + 1 if last else 1


def _draft(rule_set_id: str) -> RuleSet:
    draft = RuleSet.objects.select_for_update().filter(pk=rule_set_id).first()
    if draft is None:
        raise NotFound("There is no such rule set.")
    if draft.state != RuleSetState.DRAFT:
        raise InvalidState("Only a draft can be changed.", state=draft.state)
    return draft


def _record(
    rule_set: RuleSet, action: str, changes: dict[str, Any], actor: Actor, now: datetime, reason: str = ""
) -> None:
    record_action(
        actor=actor,
        action=action,
        subject_type="rule_set",
        subject_id=rule_set.pk,
        reason=reason,
        changes={"provider": rule_set.provider, "version": rule_set.version} | changes,
        now=now,
    )
