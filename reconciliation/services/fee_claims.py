"""Fee differences and the claims for them: what providers kept beyond their contracts, asked back once.

The differences are the FEE_MISMATCH breaks, in which the contract's fee was computed anew for every line (matching/rules.py). What a provider kept
too little is shown beside, and not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection
from django.db import transaction as database
from django.db.models import Sum

from common.audit import record_action
from common.changes import Actor, Subject, record_change
from common.errors import InvalidState, NotFound
from common.ids import new_id
from common.money import Money
from common.queue import nudge_coalesced
from common.rows import Rows
from reconciliation.models import FeeClaim, FeeClaimRefund, LineType, StatementLine
from reconciliation.services.locks import hold

_DIFFERENCES = """
    SELECT b.provider, b.live, b.our_currency AS currency, date_trunc('month', b.day)::date AS month,
           count(*) FILTER (WHERE b.their_minor > b.our_minor) AS over_count,
           coalesce(sum(b.their_minor - b.our_minor) FILTER (WHERE b.their_minor > b.our_minor), 0) AS over_minor,
           count(c.line_id) AS claimed_count,
           coalesce(sum(b.their_minor - b.our_minor) FILTER (WHERE c.line_id IS NOT NULL), 0) AS claimed_minor,
           count(*) FILTER (WHERE b.their_minor < b.our_minor) AS under_count,
           coalesce(sum(b.our_minor - b.their_minor) FILTER (WHERE b.their_minor < b.our_minor), 0) AS under_minor
    FROM reconciliation_break b LEFT JOIN fee_claim_line c ON c.line_id = b.line_id
    WHERE b.kind = 'FEE_MISMATCH' AND b.line_id IS NOT NULL AND (b.resolved_at IS NULL OR c.line_id IS NOT NULL)
    GROUP BY 1, 2, 3, 4 ORDER BY 4 DESC, 1, 2, 3"""

# One row for each line, however many breaks of it there were; the newest says what was agreed.
_CLAIM = """
    WITH found AS (
        SELECT DISTINCT ON (b.line_id) b.id, b.line_id, b.our_minor, b.their_minor
        FROM reconciliation_break b
        WHERE b.kind = 'FEE_MISMATCH' AND b.resolved_at IS NULL AND b.provider = %(provider)s AND b.live = %(live)s
            AND b.our_currency = %(currency)s AND b.day BETWEEN %(first)s AND %(last)s AND b.their_minor > b.our_minor
            AND NOT EXISTS (SELECT FROM fee_claim_line c WHERE c.line_id = b.line_id)
        ORDER BY b.line_id, b.id DESC
    ), claimed AS (
        INSERT INTO fee_claim_line (line_id, claim_id, break_item_id, agreed_minor, charged_minor)
        SELECT line_id, %(claim)s, id, our_minor, their_minor FROM found RETURNING charged_minor - agreed_minor AS minor
    )
    SELECT count(*), coalesce(sum(minor), 0) FROM claimed"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one provider kept in one month beside its contract."""

    provider: str
    live: bool
    currency: str
    month: date
    over_count: int
    over_minor: int
    claimed_count: int
    claimed_minor: int
    under_count: int
    under_minor: int

    @property
    def open_count(self) -> int:
        """Too much, and not claimed."""
        return self.over_count - self.claimed_count


def fee_differences() -> list[Difference]:
    """By provider, mode, currency and month, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES)
        return [Difference(*row) for row in cursor.fetchall()]


def fee_claim_create(
    *, provider: str, live: bool, currency: str, first: date, last: date, reason: str, actor: Actor, now: datetime
) -> FeeClaim:
    """Claim every overcharge of these days that nobody has claimed yet. Raises InvalidState (there is none, or somebody claims them now)."""
    claim_id = new_id("fcl")
    parameters: dict[str, Any] = {
        "claim": claim_id,
        "provider": provider,
        "live": live,
        "currency": currency,
        "first": first,
        "last": last,
    }
    try:
        with database.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_CLAIM, parameters)
                count, minor = cursor.fetchone()
            if not count:
                raise InvalidState("There is no overcharge in these days that is not claimed already.")
            claim = FeeClaim(
                id=claim_id,
                provider=provider,
                live=live,
                currency=currency,
                first_day=first,
                last_day=last,
                line_count=count,
                claimed_minor=int(minor),
                reason=reason,
                created_by=actor.name,
                created_at=now,
            )
            rows = Rows()
            rows.add(claim)
            record_change(
                rows,
                subject=Subject("fee_claim", claim.pk, 1, "", live),
                fact="fee_claim.made",
                payload={
                    "claimId": claim.pk,
                    "provider": provider,
                    "amount": str(claim.claimed),
                    "currencyCode": currency,
                },
                changes={"claimed_minor": [None, claim.claimed_minor], "lines": [None, count]},
                actor=actor,
                now=now,
                reason=reason,
            )
            rows.write()
            nudge_coalesced("notifications.relay_outbox")
    except IntegrityError as exc:
        raise InvalidState("Somebody else claims these overcharges at this moment.") from exc
    return claim


def fee_claim_refund(
    *, claim_id: str, provider_reference: str, reason: str, actor: Actor, now: datetime
) -> FeeClaimRefund:
    """Assign the provider's adjustment with this reference to the claim. Its break stays what it is, for whoever works on it.

    Raises NotFound (no such claim or adjustment), InvalidState (several lines have the reference, it is assigned already, or more than is claimed).
    """
    with database.atomic():
        hold(f"fee_claim:{claim_id}")  # the row is append-only, so nobody may lock it
        claim = FeeClaim.objects.filter(pk=claim_id).first()
        if claim is None:
            raise NotFound("There is no such claim.")
        lines = StatementLine.objects.filter(
            provider=claim.provider,
            currency=claim.currency,
            statement__live=claim.live,
            type=LineType.ADJUSTMENT,
            provider_reference=provider_reference,
            amount_minor__gt=0,
        )[:2]
        if not lines:
            raise NotFound("The provider has listed no such adjustment in our favour.")
        line = lines[0]
        if len(lines) > 1 or FeeClaimRefund.objects.filter(line=line).exists():
            raise InvalidState("That adjustment is assigned already, or several lines have its reference.")
        if fee_claim_refunded(claim).minor + line.amount_minor > claim.claimed_minor:
            raise InvalidState("The provider would have given back more than was claimed.")
        refund = FeeClaimRefund.objects.create(
            line=line,
            claim=claim,
            amount_minor=line.amount_minor,
            reason=reason,
            created_by=actor.name,
            created_at=now,
        )
        record_action(
            actor=actor,
            action="fee_claim.refund_assigned",
            subject_type="fee_claim",
            subject_id=claim.pk,
            now=now,
            reason=reason,
            changes={"line": provider_reference, "amount_minor": line.amount_minor},
        )
    return refund


def fee_claim_refunded(claim: FeeClaim) -> Money:
    """What the provider has given back of it so far."""
    return Money(claim.refunds.aggregate(total=Sum("amount_minor"))["total"] or 0, claim.currency)


COLUMNS = (
    "provider reference",
    "our reference",
    "account",
    "time",
    "currency",
    "amount",
    "fee charged",
    "fee agreed",
    "difference",
)


def fee_claim_rows(claim: FeeClaim) -> Iterator[tuple[str | Money, ...]]:
    """The claim's lines for its file, in the columns COLUMNS; amounts as Money."""
    lines = claim.lines.select_related("line").order_by("line_id").iterator(chunk_size=1000)
    for found in lines:
        line = found.line
        yield (
            line.provider_reference,
            line.our_reference,
            line.account_key,
            f"{line.at:%Y-%m-%d %H:%M:%S} UTC",
            line.currency,
            line.amount,
            Money(found.charged_minor, line.currency),
            Money(found.agreed_minor, line.currency),
            Money(found.charged_minor - found.agreed_minor, line.currency),
        )
