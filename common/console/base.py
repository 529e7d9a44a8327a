"""Base classes of the console's pages: operators act, they don't edit rows.

Nothing can be added, changed or deleted unless a class says so, not even by a superuser or a forged POST. Query strings may filter by the
filters that a page shows and by nothing else, so they cannot be used to guess a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ClassVar

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import flatten, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from common.audit import record_action
from common.console.site import operator

COUNTED = 10_000
_LOOKUP_END = r"(__(id|pk|code))?(__(exact|isnull|isempty)|_(from|to))?"

Details = Sequence[tuple[str | None, Sequence[Any]]]


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to 10,000 and no further: a list of millions costs no more, and nobody turns two hundred pages."""

    most = COUNTED

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return min(rows.order_by()[: COUNTED + 1].count(), COUNTED)


class ConsoleAdmin(ModelAdmin):
    """A list and a page per row. `details` are the titled groups of fields of the page."""

    details: ClassVar[Details] = ()
    found_by: ClassVar[Sequence[str]] = ()  # text columns whose whole value leads the box of every page to a row
    empty_text: ClassVar[str] = "There is nothing here yet."  # what a list without rows and filters says
    actions = None
    compressed_fields = True
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    list_max_show_all = 0
    paginator = CappedPaginator
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    empty_value_display = "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return [(title, {"fields": fields}) for title, fields in self.details]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return flatten([list(fields) for _, fields in self.details])

    def find(self, request: HttpRequest, term: str) -> QuerySet[Any] | None:
        """The rows that `term` names whole (common.console.find); none if nothing here is found so."""
        if not self.found_by:
            return None
        named = Q()
        for column in self.found_by:
            named |= Q(**{f"{column}__in": {term, term.lower(), term.upper()}})
        return self.model._default_manager.filter(named)  # type: ignore[no-any-return]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return any(_filters_by(item, lookup) for item in self.get_list_filter(request))

    @property
    def urls(self) -> list[Any]:
        """An address with what cannot be a key is 404, whatever its view would do with it; the addresses that a page adds too."""
        urls = self.get_urls()
        for url in urls:
            if url.pattern.converters:
                url.callback = self._of_a_key(url.callback)
        return urls  # type: ignore[no-any-return]

    def _of_a_key(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if any("\x00" in unquote(str(value)) for value in kwargs.values()):  # no text of the database has one
                raise Http404
            try:
                if "object_id" in kwargs:
                    self.opts.pk.to_python(unquote(str(kwargs["object_id"])))
            except ValidationError as exc:
                raise Http404 from exc
            return view(request, *args, **kwargs)

        return checked

    def page_of(self, request: HttpRequest, found: Any) -> dict[str, Any]:
        """What the template of a row's own page shows, if the model has one."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = self.get_object(request, unquote(object_id)) if self._has_page else None
        if found is not None and self.has_view_permission(request, found):
            extra_context = {"subtitle": None} | self.page_of(request, found) | (extra_context or {})
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    @property
    def _has_page(self) -> bool:
        return type(self).page_of is not ConsoleAdmin.page_of

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied  # there are no bulk actions to post
        return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]


def _filters_by(item: Any, lookup: str) -> bool:
    """Whether a filter of a list uses this parameter of the query string."""
    if isinstance(item, type):
        return lookup == getattr(item, "parameter_name", None)
    field = item[0] if isinstance(item, tuple) else item
    return re.fullmatch(field + _LOOKUP_END, lookup) is not None


class EditableAdmin(ConsoleAdmin):
    """Settings that a person with the permission may add and change. Every change is in the audit log, value by value."""

    editable: ClassVar[Sequence[str]] = ()
    fixed: ClassVar[Sequence[str]] = ()  # set when the row is added, never changed again

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        open_ = set(self.editable) | (set(self.fixed) if obj is None else set())
        return [field for field in super().get_readonly_fields(request, obj) if field not in open_]

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_action(
            actor=operator(request),
            action=f"{self.opts.model_name}.{'changed' if change else 'added'}",
            subject_type=str(self.opts.model_name),
            subject_id=str(obj.pk),
            merchant_id=str(getattr(obj, "merchant_id", "")),
            now=timezone.now(),
            changes=_changes(form, form.changed_data),
        )


def _changes(form: ModelForm[Any], names: Iterable[str]) -> dict[str, list[Any]]:
    return {name: [_plain(form.initial.get(name)), _plain(form.cleaned_data.get(name))] for name in names}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | list | dict | None) else str(value)
