"""What a provider owes us for lines that have become known: a remittance per account and currency, with its bookkeeping.

The provider keeps its fees, so they are booked when its statement says so: once per remittance, never per line. Of an account that is not one of
ours nothing is booked; its lines are breaks.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from common.changes import Actor, Subject, record_change
from common.ids import new_id
from common.money import Money
from common.rows import Rows
from merchants.models import ProviderAccount
from payments.ledger.accounts import AccountRef
from payments.ledger.post import post
from payments.ledger.recipes import Leg
from payments.models.ledger import AccountKind
from reconciliation.models import Remittance, Source, Statement
from reconciliation.sources import remit_on

FACT = "remittance.announced"

_SUMS = """
SELECT account_key, provider_account_id, currency, count(*), sum(amount_minor)::bigint, sum(fee_minor)::bigint
FROM statement_line WHERE statement_id = %s AND (%s::bigint IS NULL OR id = %s)
GROUP BY account_key, provider_account_id, currency ORDER BY account_key, currency
"""


def remittances_announce(
    *,
    source: Source,
    statement: Statement,
    actor: Actor,
    now: datetime,
    line_id: int | None = None,
    part: int = 1,
) -> list[Remittance]:
    """Sum the statement's new lines (or the one line `line_id`) into remittances and book their fees. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [statement.pk, line_id, line_id])
        sums = cursor.fetchall()
    accounts = ProviderAccount.objects.in_bulk([found[1] for found in sums if found[1]])
    remittances, rows = [], Rows()
    for account_key, account_id, currency, count, gross, fee in sums:
        remittance = Remittance(
            id=new_id("rem"),
            statement=statement,
            provider=source.code,
            account_key=account_key,
            provider_account_id=account_id,
            live=statement.live,
            day=statement.day,
            due_on=remit_on(source, statement.day),
            part=part,
            currency=currency,
            line_count=count,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=gross - fee,
        )
        rows.add(remittance)
        _book(rows, remittance, accounts.get(account_id), actor, now)
        remittances.append(remittance)
    if remittances:
        rows.write()
    return remittances


def _book(rows: Rows, remittance: Remittance, account: ProviderAccount | None, actor: Actor, now: datetime) -> None:
    currency = remittance.currency
    fact_id = record_change(
        rows,
        subject=Subject("remittance", remittance.pk, 1, account.merchant_id if account else "", remittance.live),
        fact=FACT,
        payload={
            "remittanceId": remittance.pk,
            "provider": remittance.provider,
            "account": remittance.account_key,
            "day": remittance.day.isoformat(),
            "dueOn": remittance.due_on.isoformat(),
            "currencyCode": currency,
            "gross": str(Money(remittance.gross_minor, currency)),
            "fees": str(Money(remittance.fee_minor, currency)),
            "net": str(Money(remittance.net_minor, currency)),
        },
        changes={"net": [None, str(Money(remittance.net_minor, currency))]},
        actor=actor,
        now=now,
    )
    if account is None or remittance.fee_minor == 0:
        return
    fees, receivable = (
        AccountRef(kind, currency, remittance.live, provider_account_id=account.pk)
        for kind in (AccountKind.PROVIDER_FEES, AccountKind.PROVIDER_RECEIVABLE)
    )
    legs = [Leg(fees, remittance.fee_minor), Leg(receivable, -remittance.fee_minor)]
    post(rows, fact_id=fact_id, fact_name=FACT, transaction_id=None, legs=legs, now=now)
