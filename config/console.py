"""The console's theme: name, colours, navigation. What a page shows is in the apps' own `admin` packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str, *, badge: str | None = None) -> dict[str, Any]:
    """A link to a list ("payments.transaction") for who may view it."""
    app, name = model.split(".")

    def may_view(request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{app}.view_{name}"))

    item = {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": may_view,
    }
    return item | ({"badge": badge, "badge_variant": "danger"} if badge else {})


def _page(title: str, icon: str, model: str, name: str) -> dict[str, Any]:
    """A link to a page that a model's admin has beside its list, for who may view the list."""
    app, of = model.split(".")
    return _item(title, icon, model) | {"link": reverse_lazy(f"admin:{app}_{of}_{name}")}


def _static(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Counterfoil",
    "SITE_HEADER": "Counterfoil",
    "SITE_SUBHEADER": "Operator console",
    "SITE_SYMBOL": "receipt_long",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("console/favicon.svg")}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,  # the audit log is the history
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "common.console.dashboard.dashboard",
    "LOGIN": {"form": "common.console.sign_in.SignInForm"},
    "STYLES": [_static("console/console.css")],
    "SCRIPTS": [_static("console/console.js"), _static("console/find.js")],
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.7)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.4)",
            "300": "oklch(85.5% .138 181.1)",
            "400": "oklch(77.7% .152 181.9)",
            "500": "oklch(70.4% .14 182.5)",
            "600": "oklch(52% .1 184.7)",
            "700": "oklch(46% .09 186.4)",
            "800": "oklch(43.7% .078 188.2)",
            "900": "oklch(38.6% .063 188.4)",
            "950": "oklch(27.7% .046 192.5)",
        }
    },
    "SIDEBAR": {
        "show_search": True,  # common.console.find
        "navigation": [
            {
                "items": [
                    {"title": "Today", "icon": "monitoring", "link": reverse_lazy("admin:index")},
                    _item("Second person", "how_to_reg", "common.proposal", badge="common.console.proposals.waiting"),
                ],
            },
            {
                "title": "Payments",
                "separator": True,
                "items": [
                    _item("Transactions", "receipt_long", "payments.transaction"),
                    _item("Refunds", "undo", "payments.refund"),
                    _item("Refund batches", "playlist_add_check", "payments.refundbatch"),
                    _item("Merchants' accounts", "savings", "payments.account"),
                    _item("Transfer batch", "schedule_send", "payments.transferrun"),
                    _item("Batched transfers", "format_list_bulleted", "payments.transferrunitem"),
                    _item(
                        "Open questions", "help", "payments.reviewitem", badge="payments.admin.review.open_questions"
                    ),
                    _item("Payments", "credit_card", "payments.payment"),
                    _item("Operations", "swap_horiz", "payments.operation"),
                    _item("Provider events", "call_received", "payments.providerevent"),
                ],
            },
            {
                "title": "Books",
                "separator": True,
                "items": [
                    _item("Journal", "menu_book", "payments.journalentry"),
                    _item("Postings", "list_alt", "payments.posting"),
                    _item("Accounts", "account_balance", "payments.ledgeraccount"),
                    _page("Balance sheet", "balance", "reconciliation.dayclose", "money"),
                ],
            },
            {
                "title": "Reconciliation",
                "separator": True,
                "items": [
                    _item("Breaks", "difference", "reconciliation.break"),
                    _page("Day close", "event_available", "reconciliation.dayclose", "board"),
                    _item("Statements", "description", "reconciliation.statement"),
                    _item("Quarantine", "report", "reconciliation.quarantinedline"),
                    _item("Fee differences", "request_quote", "reconciliation.feeclaim"),
                    _item("Runs", "fact_check", "reconciliation.reconciliationrun"),
                ],
            },
            {
                "title": "Settlement",
                "separator": True,
                "items": [
                    _item("Settlements", "request_quote", "reconciliation.settlement"),
                    _item("Where is the money", "route", "reconciliation.paymentmoney"),
                    _item("Payouts", "send_money", "reconciliation.payout"),
                    _item("Payment files", "outbox", "reconciliation.payoutfile"),
                    _item("Terms", "contract", "reconciliation.settlementterms"),
                    _item("Fee plans", "sell", "payments.feeplan"),
                ],
            },
            {
                "title": "Sources and rules",
                "separator": True,
                "collapsible": True,  # folded until one of its pages is open
                "items": [
                    _item("Sources", "input", "reconciliation.source"),
                    _item("Bank accounts", "account_balance_wallet", "reconciliation.bankaccount"),
                    _item("Our accounts for payouts", "account_balance", "reconciliation.payoutbank"),
                    _item("Bank holidays", "event_busy", "reconciliation.bankcalendar"),
                    _item("Write-off limits", "speed", "reconciliation.writeofflimit"),
                    _item("Matching rules", "tune", "reconciliation.ruleset"),
                    _item("Rehearsals", "theater_comedy", "reconciliation.rehearsal"),
                ],
            },
            {
                "title": "Line by line",
                "separator": True,
                "collapsible": True,  # folded until one of its pages is open
                "items": [
                    _item("Statement lines", "format_list_numbered", "reconciliation.statementline"),
                    _item("Bank lines", "account_balance", "reconciliation.bankline"),
                    _item("Remittances", "payments", "reconciliation.remittance"),
                    _item("Matches", "join", "reconciliation.match"),
                    _item("Match groups", "hub", "reconciliation.matchgroup"),
                    _item("Bank balances", "balance", "reconciliation.bankbalance"),
                    _item("Statement files", "draft", "reconciliation.statementfile"),
                    _item("Settlement lines", "receipt", "reconciliation.settlementline"),
                    _item("Reserves released", "lock_open", "reconciliation.reserverelease"),
                    _item("Fees charged", "percent", "payments.feecharge"),
                ],
            },
            {
                "title": "Webhooks",
                "separator": True,
                "items": [
                    _item("Deliveries", "send", "notifications.webhookdelivery"),
                    _item("Attempts", "rule", "notifications.webhookattempt"),
                    _item("Endpoints", "webhook", "notifications.webhookendpoint"),
                ],
            },
            {
                "title": "Merchants",
                "separator": True,
                "items": [
                    _item("Merchants", "storefront", "merchants.merchant"),
                    _item("Provider accounts", "hub", "merchants.provideraccount"),
                    _item("API keys", "key", "merchants.apikey"),
                    _item("Users", "person", "merchants.merchantuser"),
                    _item("Idempotency", "repeat_one", "merchants.idempotencyrecord"),
                    _item("Banks", "account_balance_wallet", "payments.bank"),
                ],
            },
            {
                "title": "Records",
                "separator": True,
                "items": [
                    _item("Facts", "bolt", "common.fact"),
                    _item("Audit log", "history", "common.auditrecord"),
                    _item("Audit chain", "link", "common.auditlink"),
                    _item("Operators", "badge", "auth.user"),
                    _item("Roles", "shield_person", "auth.group"),
                ],
            },
        ],
    },
}
