"""Pages of rows that change by two people only (common/agreed.py): a form that proposes, and before and after for who decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.forms.models import modelform_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from common.agreed import Setting, changes_of, label_of
from common.console import html
from common.console.actions import form_page, or_busy
from common.console.base import ConsoleAdmin
from common.console.site import operator
from common.errors import CounterfoilError
from common.models import Proposal

Show = Callable[[Any, Mapping[str, Any]], Any]  # a column's value and its row -> what is shown


def before_after(
    proposal: Proposal, model: type[Model], *, show: Mapping[str, Show] | None = None, hide: Sequence[str] = ()
) -> SafeString:
    """What changes, column by column; of a new row, all that it has."""
    before, row = proposal.parameters["before"], proposal.parameters["row"]
    changed = changes_of(before, row)
    order = [field.attname for field in model._meta.concrete_fields if field.attname not in hide]
    changes = {name: changed[name] for name in order if name in changed}
    shown = partial(_shown, model, show or {})
    if before is None:
        return html.table(
            ("What", "New"), ((_label(model, name), shown(name, new, row)) for name, (_, new) in changes.items())
        )
    return html.table(
        ("What", "Now", "Then"),
        (
            (_label(model, name), shown(name, old, before), shown(name, new, row))
            for name, (old, new) in changes.items()
        ),
    )


def _label(model: type[Model], name: str) -> str:
    label = label_of(model, name).removesuffix(" minor")
    return label[:1].upper() + label[1:]


def _shown(model: type[Model], show: Mapping[str, Show], name: str, value: Any, row: Mapping[str, Any]) -> Any:
    if value in (None, ""):
        return html.EMPTY
    if name in show:
        return show[name](value, row)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if name.endswith("_minor"):
        return f"{value} minor units"
    field = next(field for field in model._meta.concrete_fields if field.attname == name)
    return dict(field.flatchoices).get(value, value)


class AgreedAdmin(ConsoleAdmin):
    """Who may propose fills in a form; nothing changes until a second person says yes. `asks` are the form's fields, `asks_new` those of a new row."""

    setting: ClassVar[Setting]
    asks: ClassVar[Sequence[str]] = ()
    asks_new: ClassVar[Sequence[str]] = ()

    def has_agree_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(self.setting.may_propose))

    @action(description="Propose a change", permissions=["agree"], url_path="propose", icon="how_to_reg")
    def propose_change(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(self.model, pk=unquote(object_id))
        return self._ask(request, row, self.asks, f"Propose a change of {row}", html.page_url(row))

    @action(description="Propose a new one", permissions=["agree"], url_path="propose-new", icon="add")
    def propose_new(self, request: HttpRequest) -> HttpResponse:
        title = f"Propose a new one: {self.opts.verbose_name}"
        return self._ask(request, None, self.asks_new, title, "../")

    def _ask(
        self, request: HttpRequest, row: Model | None, fields: Sequence[str], title: str, back: str
    ) -> HttpResponse:
        form_class = modelform_factory(
            self.model,
            form=self.form,
            fields=fields,
            formfield_callback=partial(self.formfield_for_dbfield, request=request),
        )
        seen = self.setting.shown(row) if row is not None else ""  # before the form fills the row
        form, refused = form_class(request.POST or None, request.FILES or None, instance=row), ""
        form.fields["shown"] = forms.CharField(required=False, initial=seen, widget=forms.HiddenInput)
        form.fields["reason"] = forms.CharField(
            max_length=255, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept in the audit log."
        )
        if request.method == "POST" and form.is_valid():
            me: Any = request.user
            try:
                with or_busy():
                    proposal = self.setting.propose(
                        wanted=form.instance,
                        shown=form.cleaned_data["shown"],
                        reason=form.cleaned_data["reason"],
                        by=me,
                        actor=operator(request),
                        now=timezone.now(),
                    )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                return redirect(html.page_url(proposal))
        lead = "Nothing changes until a second person agrees to exactly this."
        return form_page(request, self, form, title=title, lead=lead, submit="Propose", back=back, refused=refused)
