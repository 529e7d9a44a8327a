"""What the bank said is kept; what people decided about a break needs two of them."""

from django.db import migrations

from common.triggers import append_only, needs_approval

_BREAK_ACTS = ("break.match", "break.adjust", "break.write_off")


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0003_three_sides"), ("common", "0004_proposal_rules")]
    operations = [
        append_only("bank_line"),
        append_only("remittance"),
        append_only("reconciliation_match_group"),
        append_only("reconciliation_bank_match"),
        append_only("reconciliation_break_comment"),
        needs_approval("reconciliation_match_group", "proposal_id", _BREAK_ACTS, when="NEW.proposal_id IS NOT NULL"),
        needs_approval(
            "reconciliation_break",
            "resolved_by_proposal_id",
            _BREAK_ACTS,
            when="NEW.resolved_by_proposal_id IS NOT NULL",
            event="INSERT OR UPDATE",
        ),
    ]
