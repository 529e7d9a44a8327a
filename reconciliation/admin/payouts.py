"""Payouts: choose settlements and propose, watch them leave and arrive, say what no bank line shows; the files for the bank."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from common.console import html
from common.console.actions import ReasonForm, go_to
from common.console.agreed import AgreedAdmin, before_after
from common.console.base import ConsoleAdmin
from common.console.columns import column, day, mode, money, reference, related, state, when
from common.console.filters import DayFilter
from common.console.panels import CARDS, PROPOSED, SUBJECT_PAGES, Card
from common.console.proposals import answer_proposal
from common.console.site import operator
from common.console.waiting import waits
from common.errors import CounterfoilError
from common.models import Proposal
from reconciliation.admin.payout_page import payout_page
from reconciliation.models import (
    BankAccount,
    BankLine,
    FileState,
    Payout,
    PayoutBank,
    PayoutFile,
    PayoutState,
    Settlement,
)
from reconciliation.selectors import payouts_late, settlements_to_pay
from reconciliation.services.payout_files import payout_file_download, payout_file_handed_over
from reconciliation.services.payouts import ACTS, MOST, lines_showing, payout_cancel, payout_confirm, payouts_propose
from reconciliation.services.settings import PAYOUT_BANK

_SHOWN = 50


class ProposeForm(forms.Form):
    """Which settlements to pay out, those that are due at the top, and why now."""

    settlements = forms.MultipleChoiceField(widget=UnfoldAdminCheckboxSelectMultipleWidget)
    reason = forms.CharField(max_length=255, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_, count = settlements_to_pay()[:MOST], settlements_to_pay().count()
        self.fields["settlements"].choices = [(each.pk, _offer(each)) for each in open_]  # type: ignore[attr-defined]
        today = timezone.localdate()
        self.fields["settlements"].initial = [each.pk for each in open_ if each.pay_on <= today]
        if not open_:
            self.fields["settlements"].help_text = "Nothing is to be paid out."
        elif count > MOST:
            self.fields["settlements"].help_text = html.cut_off(MOST, count, "propose these, then the others")


def _offer(settlement: Settlement) -> Any:
    return format_html(
        "{} {} {}, settled {}, pay on {}{}",
        html.money(settlement.net_minor, settlement.currency),
        settlement.merchant.code,
        "live" if settlement.live else "test",
        f"{settlement.day:%-d %b %Y}",
        f"{settlement.pay_on:%-d %b %Y}",
        "" if settlement.pay_on <= timezone.localdate() else " (not due yet)",
    )


class ShownForm(ReasonForm):
    """What shows it; a line of the bank, if one could be it."""

    returned = False
    line = forms.ModelChoiceField(
        BankLine.objects.none(), required=False, empty_label="No line shows it", widget=UnfoldAdminSelectWidget
    )
    field_order = ("line", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        payout = get_object_or_404(Payout.objects.select_related("file"), pk=unquote(str(self.object_id)))
        lines = lines_showing(payout, returned=self.returned)
        nearest = list(lines.values_list("pk", flat=True)[:_SHOWN])
        self.fields["line"].queryset = lines.filter(pk__in=nearest)
        self.fields["line"].label = "The line that shows it"
        self.fields["line"].help_text = "What it is more or less is booked as the bank's charges."
        if not nearest:
            del self.fields["line"]

    def clean(self) -> dict[str, Any]:
        return {"line": None} | (super().clean() or {})


class CameBackForm(ShownForm):
    returned = True


@column("destination_text", "Where to")
def destination(payout: Payout) -> Any:
    return format_html('<div class="cf-text">{}</div>', payout.destination)


@admin.register(Payout)
class PayoutAdmin(ConsoleAdmin):
    found_by = ("id", "end_to_end_id")
    empty_text = (
        "Nothing has been paid out. Propose payouts of settlements that are due; a second person releases them."
    )
    actions_list = ("propose",)
    actions_detail = ("confirm_paid", "confirm_returned", "cancel")
    list_display = (
        "end_to_end_id",
        related("merchant", "Merchant"),
        state("state"),
        money("amount_minor", "Amount", sortable=True),
        destination,
        day("paid_at", "Paid"),
        mode(),
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("way", ChoicesDropdownFilter),
        ("merchant", RelatedDropdownFilter),
        "currency",
        "live",
        ("created_at", DayFilter),
    )
    list_select_related = ("merchant",)
    search_fields = ("=id", "=end_to_end_id", "=settlement__id", "=merchant__code", "=file__message_id")
    search_help_text = "Payout, reference, settlement, merchant code or message id"
    ordering = ("-id",)
    details = ((None, (reference("id", "Payout"),)),)

    def page_of(self, request: HttpRequest, found: Payout) -> dict[str, Any]:
        return {"page": payout_page(found), "title": "Payout"}

    def has_propose_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.propose_payout"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what its state allows."""
        payout = Payout.objects.select_related("file").filter(pk=unquote(str(object_id))).first()
        names: tuple[str, ...] = {
            PayoutState.PENDING_APPROVAL: ("cancel",),
            PayoutState.APPROVED: ("cancel",),
            PayoutState.SENT: ("confirm_paid", "confirm_returned"),
        }.get(PayoutState(payout.state) if payout else PayoutState.CANCELLED, ())
        if payout is not None and payout.state in (
            PayoutState.PAID,
            PayoutState.RETURNED,
        ):  # a line of the bank may still say more
            says = {"confirm_paid": False, "confirm_returned": True}
            names = tuple(name for name, back in says.items() if lines_showing(payout, returned=back).exists())
        return [found for found in super().get_actions_detail(request, object_id) if found.action_name.endswith(names)]

    @action(description="Propose payouts", permissions=["propose"], url_path="propose", icon="how_to_reg", variant=ActionVariant.PRIMARY)  # fmt: skip
    def propose(self, request: HttpRequest) -> HttpResponse:
        form, refused = ProposeForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                proposal = payouts_propose(
                    settlement_ids=form.cleaned_data["settlements"],
                    by=request.user,  # type: ignore[arg-type]
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
            except CounterfoilError as exc:
                refused = exc.message
            else:
                messages.success(request, f"It waits for a second person: {proposal.summary}")
                return redirect(html.page_url(proposal))
        context = self.admin_site.each_context(request) | {
            "title": "Propose payouts",
            "lead": "A second person releases them. What goes to an account with us is paid at once, the rest with the next file to the bank.",
            "form": form,
            "refused": refused,
            "submit": "Propose",
            "check_all": "settlements",
            "back": reverse("admin:reconciliation_payout_changelist"),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/common/form_page.html", context)

    def _confirm(self, request: HttpRequest, form: ShownForm, object_id: str, *, returned: bool) -> HttpResponse:
        payout, line = get_object_or_404(Payout, pk=unquote(object_id)), form.cleaned_data["line"]
        return answer_proposal(
            request,
            lambda: payout_confirm(
                payout_id=payout.pk,
                returned=returned,
                line_id=line.pk if line else None,
                by=request.user,  # type: ignore[arg-type]
                reason=form.cleaned_data["reason"],
                actor=operator(request),
                now=timezone.now(),
            ),
            html.page_url(payout),
        )

    @action(
        description="It arrived",
        permissions=["propose"],
        url_path="arrived",
        icon="task_alt",
        dialog={
            "title": "It arrived",
            "description": "For a payout that its bank's statement does not prove. Say what does; a second person has to agree.",
            "form_class": ShownForm,
            "form_submit_text": "Propose",
        },
    )
    def confirm_paid(self, request: HttpRequest, form: ShownForm, object_id: str) -> HttpResponse:
        return self._confirm(request, form, object_id, returned=False)

    @action(
        description="It came back",
        permissions=["propose"],
        url_path="came-back",
        icon="undo",
        dialog={
            "title": "It came back, or never left",
            "description": "The merchant is owed it again, in the next settlement. Say what proves it; a second person has to agree.",
            "form_class": CameBackForm,
            "form_submit_text": "Propose",
        },
    )
    def confirm_returned(self, request: HttpRequest, form: CameBackForm, object_id: str) -> HttpResponse:
        return self._confirm(request, form, object_id, returned=True)

    @action(
        description="Cancel",
        permissions=["propose"],
        url_path="cancel",
        icon="block",
        dialog={
            "title": "Cancel the payout",
            "description": "It has not left. Its settlement can be paid out anew.",
            "form_class": ReasonForm,
            "form_submit_text": "Cancel the payout",
        },
    )
    def cancel(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        payout = get_object_or_404(Payout, pk=unquote(object_id))
        try:
            payout_cancel(
                payout_id=payout.pk, reason=form.cleaned_data["reason"], actor=operator(request), now=timezone.now()
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not cancelled: {exc.message}")
        else:
            messages.success(request, "The payout is cancelled.")
        return go_to(request, html.page_url(payout))


@column("payout_count", "Payouts")
def payout_count(file: PayoutFile) -> str:
    return f"{file.payout_count:,}"


@column("payouts_table", "Payouts")
def payouts_of(file: PayoutFile) -> Any:
    rows = file.payouts.select_related("merchant").order_by("pk")[:_SHOWN]
    shown = html.table(
        ("Reference", "Merchant", "Amount", "State"),
        (
            (
                html.link(html.page_url(payout), payout.end_to_end_id),
                payout.merchant.code,
                html.money(payout.amount_minor, payout.currency),
                html.badge(payout.state),
            )
            for payout in rows
        ),
    )
    every = f"{reverse('admin:reconciliation_payout_changelist')}?q={file.message_id}"
    note = html.link(every, f"All {file.payout_count:,} payouts") if file.payout_count > _SHOWN else ""
    return format_html("{}{}", shown, note)


@column("paid_from", "From")
def paid_from(file: PayoutFile) -> Any:
    return html.link(html.page_url(file.bank), f"{file.source} {file.account_key}")


@column("sha256_hex", "SHA-256")
def sha256(file: PayoutFile) -> Any:
    return format_html('<span class="cf-wrap">{}</span>', bytes(file.sha256).hex())


@admin.register(PayoutFile)
class PayoutFileAdmin(ConsoleAdmin):
    found_by = ("id", "message_id")
    empty_text = "No payout has left through a bank. A file is made within a minute of a release."
    actions_detail = ("download", "handed_over")
    list_display = (
        "message_id",
        paid_from,
        state("state"),
        payout_count,
        money("total_minor", "Total", sortable=True),
        "sends",
        when("created_at", "Made"),
        when("due_at", "Next try"),
        mode(),
    )
    list_filter = (("state", ChoicesDropdownFilter), "currency", "live", ("created_at", DayFilter))
    list_select_related = ("bank",)
    search_fields = ("=id", "=message_id", "=payouts__end_to_end_id")
    search_help_text = "File, message id or a payout's reference"
    ordering = ("-id",)
    details = (
        (
            None,
            (reference("message_id", "Message id"), paid_from, mode(), state("state"), "answer", "sends"),
        ),
        ("What", (payout_count, money("total_minor", "Total"), day("pay_on", "To be paid on"), sha256)),
        ("When", (when("created_at", "Made"), when("updated_at", "Changed"), when("due_at", "Next try"))),
        (None, (payouts_of,)),
    )

    def has_download_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("reconciliation.download_payoutfile"))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        file = PayoutFile.objects.filter(pk=unquote(str(object_id))).select_related("bank").first()
        by_hand = file is not None and file.state in (FileState.PREPARED, FileState.UNKNOWN) and file.by_hand
        return [
            found
            for found in super().get_actions_detail(request, object_id)
            if by_hand or found.action_name.endswith("download")
        ]

    @action(description="Download", permissions=["download"], url_path="download", icon="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        file = get_object_or_404(PayoutFile, pk=unquote(object_id))
        name, content = payout_file_download(file_id=file.pk, actor=operator(request), now=timezone.now())
        return HttpResponse(
            content,
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    @action(
        description="Handed over",
        permissions=["download"],
        url_path="handed-over",
        icon="outbox",
        dialog={
            "title": "The bank has the file",
            "description": "For a bank that files are carried to by hand. Its payouts count as paid when the bank's statement shows them.",
            "form_class": ReasonForm,
            "form_submit_text": "The bank has it",
        },
    )
    def handed_over(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        file = get_object_or_404(PayoutFile, pk=unquote(object_id))
        try:
            payout_file_handed_over(
                file_id=file.pk, reason=form.cleaned_data["reason"], actor=operator(request), now=timezone.now()
            )
        except CounterfoilError as exc:
            messages.error(request, f"Not recorded: {exc.message}")
        else:
            messages.success(request, "The bank has the file.")
        return go_to(request, html.page_url(file))


class PayoutBankForm(forms.ModelForm):  # type: ignore[type-arg]
    """Payouts are made from an account whose statements we read: what no statement can show would never be paid."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        said = {
            name: cleaned.get(name, getattr(self.instance, name))
            for name in ("live", "currency", "source", "account_key")
        }
        if not self.errors and not BankAccount.objects.filter(**said).exists():
            self.add_error(
                "account_key",
                "It is none of our bank accounts of that bank, mode and currency: have it agreed on there first.",
            )
        return cleaned


@admin.register(PayoutBank)
class PayoutBankAdmin(AgreedAdmin):
    setting = PAYOUT_BANK
    form = PayoutBankForm
    asks = ("source", "account_key", "name", "bic", "url")
    asks_new = ("live", "currency", *asks)
    actions_list = ("propose_new",)
    actions_detail = ("propose_change",)
    empty_text = "No account of ours pays merchants yet: propose one."
    list_display = ("source", "account_key", "currency", mode(), "name", "bic", "url")
    search_fields = ("=account_key", "=source")
    search_help_text = "Account number or source"
    ordering = ("live", "currency")
    details = (
        (None, ("source", "account_key", "currency", mode())),
        ("Holder", ("name", "bic")),
        ("Files", ("url", when("created_at", "Added"))),
        ("Agreed by", (related("proposal", "Two people"), waits(PAYOUT_BANK.subject, about=PAYOUT_BANK.about))),
    )


def _proposed(proposal: Proposal) -> Any:
    """Every payout of the proposal as it is stored now, with where it goes."""
    ids = proposal.parameters.get("payouts", [proposal.subject_id])
    rows = Payout.objects.filter(pk__in=ids).select_related("merchant", "settlement").order_by("pk")[:_SHOWN]
    shown = html.table(
        ("Payout", "Merchant", "Amount", "Where to", "Settlement"),
        (
            (
                html.link(html.page_url(payout), payout.end_to_end_id),
                payout.merchant.code,
                html.money(payout.amount_minor, payout.currency),
                payout.destination + (" (new)" if payout.usable_from else ""),
                html.link(html.page_url(payout.settlement), f"{payout.settlement.day:%-d %b %Y}"),
            )
            for payout in rows
        ),
    )
    return shown if len(ids) <= _SHOWN else format_html("{}and {} more", shown, len(ids) - _SHOWN)


PROPOSED[PAYOUT_BANK.kind] = lambda proposal: before_after(proposal, PayoutBank)
PROPOSED.update(dict.fromkeys((each.kind for each in ACTS), _proposed))
SUBJECT_PAGES["payout"] = lambda subject_id: reverse("admin:reconciliation_payout_change", args=[subject_id])


def late_payouts() -> Card:
    """Payouts that the bank has had for longer than it needs, and has not shown."""
    late = payouts_late(now=timezone.now()).count()
    return Card(
        title="Payouts not shown by the bank",
        value=str(late),
        note="Sent three days ago or longer." if late else "Every payout is shown, or young.",
        url=reverse("admin:reconciliation_payout_changelist") + "?state__exact=SENT",
        tone="warning" if late else "success",
    )


def refused_payouts() -> Card:
    """Payouts in a file that the bank took none of, which wait for the next one."""
    refused = Payout.objects.filter(state=PayoutState.APPROVED, refusals__gt=0).count()
    return Card(
        title="Payouts the bank refuses",
        value=str(refused),
        note="They are tried again; alone, if it goes on." if refused else "The bank takes every payment file.",
        url=reverse("admin:reconciliation_payout_changelist") + "?state__exact=APPROVED",
        tone="danger" if refused else "success",
    )


CARDS.append((65, "reconciliation.view_payout", late_payouts))
CARDS.append((66, "reconciliation.view_payout", refused_payouts))
