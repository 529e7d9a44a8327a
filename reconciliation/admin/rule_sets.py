"""The rules of matching: every version to read; a draft to edit, rehearse and propose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, reference, related, state, when
from common.console.site import operator
from common.console.waiting import waits
from common.errors import CounterfoilError
from reconciliation.matching.rules import AGREE, BY, MAX_DAYS, InvalidRules
from reconciliation.models import MatchRule, Rehearsal, RuleSet, RuleSetState
from reconciliation.services.rehearsal import MOST_DAYS, rehearse
from reconciliation.services.rule_sets import (
    rule_set_discard,
    rule_set_draft,
    rule_set_edit,
    rule_set_propose,
)


@column("rules_table", "Rules, in this order")
def rules(rule_set: RuleSet) -> Any:
    """What is tried first, second, ..., and how exactly it has to fit."""
    return html.table(
        ("", "By", "Difference let pass", "Days apart", "Has to agree too"),
        (
            (
                number,
                MatchRule(rule["by"]).label,
                _or_source(rule.get("amount_minor"), "minor units"),
                _or_source(rule.get("days"), "days"),
                ", ".join(rule.get("agree", [])).replace("_", " ") or html.EMPTY,
            )
            for number, rule in enumerate(rule_set.rules, start=1)
        ),
    )


def _or_source(value: int | None, unit: str) -> str:
    return "As the source says" if value is None else f"{value} {unit}"


@column("summary", "Rules")
def summary(rule_set: RuleSet) -> Any:
    return format_html(
        '<div class="cf-text">{}</div>', ", then ".join(MatchRule(rule["by"]).label.lower() for rule in rule_set.rules)
    )


class RulesForm(forms.Form):
    """As many rows as there are ways of matching; an empty one is left out."""

    note = forms.CharField(
        max_length=500, required=False, widget=UnfoldAdminTextInputWidget, help_text="What this version is for."
    )

    def __init__(self, rule_set: RuleSet, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ways = BY[rule_set.comparison]
        self.optional = AGREE[rule_set.comparison]
        self.fields["note"].initial = rule_set.note
        for number in range(len(self.ways)):
            rule = rule_set.rules[number] if number < len(rule_set.rules) else {}
            self._add_row(number, rule)

    def _add_row(self, number: int, rule: dict[str, Any]) -> None:
        choices = [("", "None"), *((way.value, way.label) for way in self.ways)]
        whole = {"required": False, "min_value": 0, "widget": UnfoldAdminIntegerFieldWidget}
        self.fields[f"by_{number}"] = forms.ChoiceField(
            choices=choices,
            required=False,
            label="By",
            initial=rule.get("by", ""),
            widget=UnfoldAdminSelectWidget,
        )
        self.fields[f"amount_minor_{number}"] = forms.IntegerField(
            label="Difference let pass",
            initial=rule.get("amount_minor"),
            help_text="Minor units; it is booked. Empty: as the source says.",
            **whole,
        )
        self.fields[f"days_{number}"] = forms.IntegerField(
            label="Days apart",
            initial=rule.get("days"),
            max_value=MAX_DAYS,
            help_text="At most. Empty: as the source says.",
            **whole,
        )
        for name in self.optional:
            self.fields[f"{name}_{number}"] = forms.BooleanField(
                label=f"The {name.replace('_', ' ')} has to agree",
                required=False,
                initial=name in rule.get("agree", ()),
            )

    def groups(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The note, then a group for each rule in its place."""
        yield "This version", [self["note"]]
        for number in range(len(self.ways)):
            yield f"Rule {number + 1}", [self[name] for name in self.fields if name.endswith(f"_{number}")]

    def rules(self) -> list[dict[str, Any]]:
        """As the rule set holds them."""
        data = self.cleaned_data
        return [
            {
                "by": data[f"by_{number}"],
                "amount_minor": data[f"amount_minor_{number}"],
                "days": data[f"days_{number}"],
                "agree": [name for name in self.optional if data[f"{name}_{number}"]],
            }
            for number in range(len(self.ways))
            if data[f"by_{number}"]
        ]


class RehearsalForm(forms.Form):
    """On which days."""

    mode = forms.ChoiceField(choices=[("live", "Live"), ("test", "Test")], widget=UnfoldAdminSelectWidget)
    days = forms.IntegerField(
        label="Closed days",
        initial=7,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="The last ones.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(RuleSet)
class RuleSetAdmin(ConsoleAdmin):
    found_by = ("id",)
    actions_detail = ("copy", "edit", "rehearse", "propose", "discard")
    list_display = (
        "provider",
        "comparison",
        "version",
        state("state"),
        summary,
        day("live_from", "Live from"),
        "made_by",
    )
    list_filter = (("state", ChoicesDropdownFilter), ("comparison", ChoicesDropdownFilter))
    list_select_related = ("made_by",)
    search_fields = ("=id", "provider")
    search_help_text = "Rule set or source"
    ordering = ("provider", "comparison", "-version")
    details = (
        (None, (reference("id", "Rule set"), "provider", "comparison", "version", state("state"), "note")),
        ("How", (rules,)),
        (
            "When",
            (
                when("created_at", "Made"),
                "made_by",
                when("live_from", "Live from"),
                waits("rule_set"),
                related("proposal", "Decided by"),
            ),
        ),
    )

    def has_draft_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.propose_ruleset"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """A draft is worked on; any version can be copied."""
        rule_set = RuleSet.objects.filter(pk=unquote(str(object_id))).first()
        draft = rule_set is not None and rule_set.state == RuleSetState.DRAFT
        return [
            found
            for found in super().get_actions_detail(request, object_id)
            if draft or found.action_name.endswith("copy")
        ]

    @action(
        description="Copy to a draft",
        permissions=["draft"],
        url_path="copy",
        icon="content_copy",
        dialog={
            "title": "Copy to a draft",
            "description": "A new version that decides nothing until two people let it go live.",
            "form_class": ReasonForm,
            "form_submit_text": "Copy",
        },
    )
    def copy(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        draft = rule_set_draft(
            of=get_object_or_404(RuleSet, pk=unquote(object_id)),
            by=request.user,  # type: ignore[arg-type]
            note=form.cleaned_data["reason"],
            actor=operator(request),
            now=timezone.now(),
        )
        messages.success(request, f"Version {draft.version} is a draft: edit it, rehearse it, propose it.")
        return go_to(request, html.page_url(draft))

    @action(description="Edit", permissions=["draft"], url_path="edit", icon="edit")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rule_set = get_object_or_404(RuleSet, pk=unquote(object_id))
        form, refused = RulesForm(rule_set, request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                rule_set_edit(
                    rule_set_id=rule_set.pk,
                    rules=form.rules(),
                    note=form.cleaned_data["note"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except InvalidRules as exc:
                refused = str(exc)
            except CounterfoilError as exc:
                refused = exc.message
            else:
                messages.success(request, "The draft is saved. Rehearse it before you propose it.")
                return redirect(html.page_url(rule_set))
        context = self.admin_site.each_context(request) | {
            "title": f"Edit {rule_set}",
            "lead": "The first rule that finds something decides. Account, direction, currency, amount and outcome always have to agree; "
            "where two items fit equally well, nobody guesses: that is a break.",
            "form": form,
            "refused": refused,
            "submit": "Save the draft",
            "back": html.page_url(rule_set),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    @action(description="Rehearse", permissions=["draft"], url_path="rehearse", icon="theater_comedy")
    def rehearse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rule_set = get_object_or_404(RuleSet, pk=unquote(object_id))
        form, refused = RehearsalForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                rehearsal = rehearse(
                    rule_set_id=rule_set.pk,
                    live=form.cleaned_data["mode"] == "live",
                    days=form.cleaned_data["days"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                return redirect(html.page_url(rehearsal))
        context = self.admin_site.each_context(request) | {
            "title": f"Rehearse {rule_set}",
            "lead": "The days are compared again by these rules, beside what was concluded then. Nothing of it is kept but the comparison.",
            "form": form,
            "refused": refused,
            "submit": "Rehearse",
            "back": html.page_url(rule_set),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    @action(
        description="Propose to go live",
        permissions=["draft"],
        url_path="propose",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Propose to go live",
            "description": "A second person approves exactly these rules. What is live now retires in the same moment.",
            "form_class": ReasonForm,
            "form_submit_text": "Propose",
        },
    )
    def propose(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        rule_set = get_object_or_404(RuleSet, pk=unquote(object_id))
        try:
            proposal = rule_set_propose(
                rule_set_id=rule_set.pk,
                reason=form.cleaned_data["reason"],
                by=request.user,  # type: ignore[arg-type]
                actor=operator(request),
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not proposed: {exc.message}")
        else:
            messages.success(request, f"It waits for a second person: {proposal.summary}")
        return go_to(request, html.page_url(rule_set))

    @action(
        description="Discard",
        permissions=["draft"],
        url_path="discard",
        icon="delete",
        dialog={
            "title": "Discard the draft",
            "description": "It never decides anything. It stays, to be read.",
            "form_class": ReasonForm,
            "form_submit_text": "Discard",
        },
    )
    def discard(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        rule_set = get_object_or_404(RuleSet, pk=unquote(object_id))
        try:
            rule_set_discard(
                rule_set_id=rule_set.pk,
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not discarded: {exc.message}")
        else:
            messages.success(request, "The draft is discarded.")
        return go_to(request, html.page_url(rule_set))


def _verdict(name: str, title: str) -> Any:
    """A table of the samples of one verdict."""

    @column(f"{name}_table", title)
    def read(rehearsal: Rehearsal) -> Any:
        found = rehearsal.samples.get(name, [])
        if not found:
            return "None"
        return html.table(
            ("Day", "Line", "Would belong to", "Belonged to", "Why"),
            ((x["day"], x["line"], x["now"] or html.EMPTY, x["before"] or html.EMPTY, x["why"]) for x in found),
        )

    return read


def _figure(name: str, label: str) -> Any:
    @column(f"figure_{name}", label)
    def read(rehearsal: Rehearsal) -> Any:
        return f"{rehearsal.figures.get(name, 0):,}"

    return read


_FIGURES = (_figure("same", "As before"), _figure("won", "Won"), _figure("lost", "Lost"), _figure("changed", "Changed"))


@admin.register(Rehearsal)
class RehearsalAdmin(ConsoleAdmin):
    empty_text = "No draft of matching rules has been rehearsed. Copy a version under Matching rules to begin one."
    list_display = (when("at", "When"), related("rule_set", "Rules"), "first_day", "last_day", *_FIGURES, "actor")
    list_select_related = ("rule_set",)
    search_fields = ("=id", "=rule_set__id")
    ordering = ("-at",)
    details = (
        (None, (related("rule_set", "Rules"), "first_day", "last_day", "live", "actor", when("at", "When"))),
        ("Lines", _FIGURES),
        ("Matches won", (_verdict("won", "Won"),)),
        ("Matches lost", (_verdict("lost", "Lost"),)),
        ("Matches changed", (_verdict("changed", "Changed"),)),
    )
