"""A proposal is decided once, in time, by a second person who may, and only while what it is about has not changed."""

from django.db import migrations

from common.models.proposal import PROPOSAL_MOVES
from common.triggers import INSTALL_APPROVALS, fixed_columns, listed_moves, no_delete

_ASKED = "kind subject_type subject_id merchant_id summary parameters pins permission reason proposed_by_id proposed_at expires_at"

TIME = migrations.RunSQL(
    """ALTER TABLE proposal ADD CONSTRAINT proposal_lives_thirty_days
       CHECK (expires_at > proposed_at AND expires_at <= proposed_at + interval '30 days')""",
    "ALTER TABLE proposal DROP CONSTRAINT proposal_lives_thirty_days",
)


class Migration(migrations.Migration):
    dependencies = [("common", "0003_proposals"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        INSTALL_APPROVALS,
        TIME,
        no_delete("proposal"),
        listed_moves("proposal", "state", PROPOSAL_MOVES),
        fixed_columns("proposal", _ASKED.split()),
    ]
