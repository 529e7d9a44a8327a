"""What has been live never changes; going live needs two people; what a million rows refer to is checked once."""

from django.db import migrations

from common.triggers import (
    append_only,
    fixed_columns,
    listed_moves,
    needs_approval,
    no_delete,
    set_wise_reference,
)
from reconciliation.models.ruleset import RULE_SET_MOVES

FROZEN_RULES = migrations.RunSQL(
    """
    CREATE FUNCTION reconciliation_rule_set_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rule set % is no draft: its rules stay', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reconciliation_rule_set_frozen';
    END $$;
    CREATE TRIGGER reconciliation_rule_set_frozen BEFORE UPDATE OF rules, note ON reconciliation_rule_set
        FOR EACH ROW WHEN (OLD.state <> 'DRAFT' AND (OLD.rules, OLD.note) IS DISTINCT FROM (NEW.rules, NEW.note))
        EXECUTE FUNCTION reconciliation_rule_set_frozen();
    ALTER TABLE reconciliation_rule_set ENABLE ALWAYS TRIGGER reconciliation_rule_set_frozen;
    """,
    """
    DROP TRIGGER reconciliation_rule_set_frozen ON reconciliation_rule_set;
    DROP FUNCTION reconciliation_rule_set_frozen;
    """,
)

# A match was only never deleted; now it does not change either. The trigger on TRUNCATE is there.
KEEP_MATCHES = migrations.RunSQL(
    """
    DROP TRIGGER reconciliation_match_no_delete ON reconciliation_match;
    DROP TRIGGER reconciliation_match_no_truncate ON reconciliation_match;
    """,
    no_delete("reconciliation_match").sql,
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0011_rule_sets")]
    operations = [
        no_delete("reconciliation_rule_set"),
        listed_moves("reconciliation_rule_set", "state", RULE_SET_MOVES),
        fixed_columns("reconciliation_rule_set", ("provider", "comparison", "version", "built_in")),
        FROZEN_RULES,
        needs_approval(
            "reconciliation_rule_set",
            "proposal_id",
            ("ruleset.activate",),
            when="NEW.state = 'LIVE' AND NOT NEW.built_in",
            event="INSERT OR UPDATE",
        ),
        append_only("reconciliation_rehearsal"),
        KEEP_MATCHES,
        append_only("reconciliation_match"),
        set_wise_reference("statement_line", "statement_id", "statement"),
        set_wise_reference("statement_line", "provider_account_id", "provider_account"),
        set_wise_reference("reconciliation_match", "run_id", "reconciliation_run"),
        set_wise_reference("reconciliation_match", "group_id", "reconciliation_match_group"),
        set_wise_reference("reconciliation_match", "line_id", "statement_line"),
        set_wise_reference("reconciliation_match", "operation_id", "operation"),
    ]
