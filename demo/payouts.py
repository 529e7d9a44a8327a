"""Two merchants are paid: the clerk proposes, the lead releases one payout, which leaves for the bank at once; the other waits for a second person."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from common.approvals import approve
from common.changes import Actor
from common.errors import CounterfoilError
from demo.people import by_two, operator
from reconciliation.models import PayoutBank, PayTo, Settlement
from reconciliation.selectors import settlements_to_pay
from reconciliation.services.payout_files import payouts_send
from reconciliation.services.payouts import payouts_propose, terms_now
from reconciliation.services.settings import PAYOUT_BANK

SOURCE, _ACCOUNT = "sandboxbank", "514000000001"


def open_payout_bank(*, sandbox_url: str) -> None:
    """Payouts in test mode are made from our account at the sandbox's bank, which takes the files by HTTP."""
    bank = PayoutBank.objects.filter(live=False, currency="MYR").first() or PayoutBank(live=False, currency="MYR")
    bank.source, bank.account_key, bank.name = SOURCE, _ACCOUNT, "Counterfoil Back Office"
    bank.bic, url = "SBOXMYKLXXX", f"{sandbox_url}/bank/payments"
    if bank.url != url:
        bank.url = url
        by_two(PAYOUT_BANK.propose, wanted=bank, reason="Where the sandbox's bank takes files")


def pay_out() -> str:
    """Release one of the settlements that can be paid out and leave another proposed. Returns a sentence; "" if there is nothing to pay."""
    clerk, lead = (operator(role) for role in ("finance", "finance_lead"))
    payable = [each for each in settlements_to_pay().filter(live=False, currency="MYR") if _has_somewhere(each)]
    if clerk is None or lead is None or not payable:
        return ""
    now = timezone.now()
    asked: dict[str, Any] = {"by": clerk, "reason": "Due", "actor": Actor(f"operator:{clerk.username}"), "now": now}
    try:
        first = payouts_propose(settlement_ids=[payable[0].pk], **asked)
        approve(proposal_id=first.pk, by=lead, reason="Checked", actor=Actor(f"operator:{lead.username}"), now=now)
        payouts_send(now=now)
        said = f"{lead.username} released: {first.summary}."
        if len(payable) > 1:
            second = payouts_propose(settlement_ids=[payable[1].pk], **asked)
            said += f" One waits for a second person: {second.summary}"
    except CounterfoilError as exc:
        return f"Nothing more is paid out: {exc.message}"
    return said


def _has_somewhere(settlement: Settlement) -> bool:
    terms = terms_now(settlement)
    return terms is not None and terms.pay_to != PayTo.NOWHERE
