"""Let the transactions remember the disputes that were booked before they could, as far as their bounds allow; verify_books names the rest."""

from __future__ import annotations

from django.db import migrations

_REMEMBER = """
    UPDATE transaction t
    SET amount_disputed_minor = greatest(0, least(b.minor, amount_captured_minor - amount_refunded_minor - amount_refund_pending_minor))
    FROM (
        SELECT p.transaction_id, l.currency, -sum(l.amount_minor) AS minor
        FROM proposal d JOIN reconciliation_match_group g ON g.proposal_id = d.id
        JOIN reconciliation_match m ON m.group_id = g.id JOIN statement_line l ON l.id = m.line_id
        JOIN operation o ON o.reference = l.our_reference AND o.kind IN ('SALE', 'CAPTURE')
        JOIN payment p ON p.id = o.payment_id AND p.provider_account_id = l.provider_account_id
        WHERE d.kind = 'break.dispute' GROUP BY p.transaction_id, l.currency
    ) b
    WHERE b.transaction_id = t.id AND b.currency = t.currency
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0030_disputed_amounts"), ("reconciliation", "0050_what_the_bank_took_of_a_payout")]

    operations = [migrations.RunSQL(_REMEMBER, migrations.RunSQL.noop)]
