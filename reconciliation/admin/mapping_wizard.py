"""The column-mapping wizard: a sample, its first rows, which column holds what, what would be read, with what is wrong line by line, and the proposal."""

from __future__ import annotations

from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from common.console import html
from common.console.site import operator
from common.errors import CounterfoilError, InvalidRequest
from common.models import Proposal
from reconciliation.admin.mapping_forms import MappingForm, Sample, SampleForm, WhyForm, header_of, initial_of
from reconciliation.models import BankAccount, FileFormat, Side, Source, SourceMapping
from reconciliation.parsers.base import Item, Line, RefusedFile, Unread
from reconciliation.parsers.mapped import BadMapping, MappedParser, MappedReader, mapping_of
from reconciliation.services.mappings import source_mapping_propose

_SHOWN = 20
_FIRST = {
    "encoding": "utf-8",
    "delimiter": ",",
    "skip_rows": 0,
    "date_format": "%Y-%m-%d",
    "decimal": ".",
    "negative": "minus",
    "sign": "signed",
}


def mapping_wizard(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """GET shows where to begin. A POST carries the sample: it is read with what the form says, and proposed when that is asked for."""
    if not request.user.has_perm("reconciliation.map_source"):
        raise PermissionDenied
    source = Source.objects.filter(pk=unquote(object_id), format=FileFormat.MAPPED).first()
    if source is None:
        raise Http404
    context: dict[str, Any] = {
        "title": f"Columns of {source}",
        "source": source,
        "back": html.page_url(source),
        "opts": admin.opts,
        "sample_form": SampleForm(),
    }
    if request.method == "POST":
        try:
            sample, begins = _sample(request)
            context |= {"sample": sample.sign(), "kind": sample.kind}
            if proposal := _work(request, source, sample, begins, context):
                return redirect(html.page_url(proposal))
        except RefusedFile as exc:
            context["refused"] = str(exc)
        except (BadSignature, ValueError):
            context["refused"] = "Choose a file to begin with."
    page = admin.admin_site.each_context(request) | context
    return TemplateResponse(request, "admin/reconciliation/source/mapping.html", page)


def _sample(request: HttpRequest) -> tuple[Sample, bool]:
    """The sample, and whether it has just been chosen. Raises RefusedFile, BadSignature, ValueError."""
    chosen = SampleForm(request.POST, request.FILES)
    if chosen.is_valid():
        return Sample.of(chosen.cleaned_data["file"].file), True
    return Sample.signed(request.POST.get("sample", "")), False


def _work(
    request: HttpRequest, source: Source, sample: Sample, begins: bool, context: dict[str, Any]
) -> Proposal | None:
    """Fill the page's context; what was proposed, if it was. Raises RefusedFile."""
    bank = source.side == Side.BANK
    last = SourceMapping.objects.filter(source=source).first()
    known = initial_of(last.mapping) if last else {"delimiter": sample.delimiter()}
    initial = _FIRST | known | {"day": timezone.localdate()}
    said: Any = initial if begins else request.POST
    reading: dict[str, str] = {"encoding": said.get("encoding") or "utf-8", "delimiter": said.get("delimiter") or ","}
    context["raw"] = list(islice(sample.rows(**reading), _SHOWN))
    skip = str(said.get("skip_rows") or "0")
    header = header_of(sample, **reading, skip_rows=int(skip) if skip.isdigit() else 0)
    form = MappingForm(header, bank=bank, data=None if begins else request.POST, initial=initial)
    context["form"] = form
    if begins or not form.is_valid():
        return None
    mapping = form.mapping(sample.kind)
    try:
        table = mapping_of(mapping, bank=bank)
    except BadMapping as exc:
        _complain(form, exc.problems)
        return None
    rows = sample.rows(**reading)
    parser = MappedParser(
        table,
        zone=ZoneInfo(source.zone),
        day=form.cleaned_data["day"],
        accounts=dict(BankAccount.objects.filter(source=source).values_list("account_key", "currency")),
    )
    context["preview"] = _preview(MappedReader(rows, table, parser))
    proposes = request.POST.get("act") == "propose"
    context["why"] = why = WhyForm(request.POST if proposes else None)
    if not proposes or not why.is_valid():
        return None
    me: Any = request.user
    try:
        return source_mapping_propose(
            source_code=source.pk,
            mapping=mapping,
            by=me,
            reason=why.cleaned_data["reason"],
            actor=operator(request),
            now=timezone.now(),
        )
    except InvalidRequest as exc:
        _complain(form, {name: " ".join(said) for name, said in exc.details["fields"].items()})
    except CounterfoilError as exc:
        context["refused"] = exc.message
    return None


def _preview(items: MappedReader) -> list[dict[str, Any]]:
    """What would be read of the sample, as it is shown. Raises RefusedFile."""
    return [_shown(item) for item in islice(iter(items), _SHOWN)]


def _shown(item: Item) -> dict[str, Any]:
    if isinstance(item, Unread):
        return {"number": item.number, "problem": item.reason}
    if isinstance(item, Line):
        what, reference, when = item.type, item.provider_reference, f"{item.at:%-d %b %Y %H:%M}"
    else:
        what, reference, when = item.counterparty, item.reference, f"{item.booked_on:%-d %b %Y}"
    money = {"minor": item.amount_minor, "currency": item.currency}
    return {"number": item.number, "what": what, "reference": reference, "when": when} | money


def _complain(form: MappingForm, problems: dict[str, str]) -> None:
    for name, problem in problems.items():
        field = next((f for f in (name, f"column_{name}", f"fixed_{name}") if f in form.fields), None)
        form.add_error(field, f"{name if field is None else 'This'} {problem}.")
