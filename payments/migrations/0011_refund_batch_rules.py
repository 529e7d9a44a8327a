"""A batch is approved by two people as it was prepared, and an item's refund is of its transaction and amount."""

from django.db import migrations

from common.triggers import fixed_columns, listed_moves, needs_approval, no_delete
from payments.states import REFUND_BATCH_MOVES, REFUND_ITEM_MOVES

_ITEM_RULES = migrations.RunSQL(
    """
    CREATE FUNCTION refund_batch_item_of_an_open_batch() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        wanted text := CASE TG_OP WHEN 'INSERT' THEN 'PREPARED' ELSE 'APPROVED' END;
    BEGIN
        IF NOT EXISTS (SELECT FROM refund_batch WHERE id = NEW.batch_id AND state = wanted) THEN
            RAISE EXCEPTION 'items of refund batch % are written while it is %', NEW.batch_id, wanted
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refund_batch_item_of_an_open_batch';
        END IF;
        IF NEW.transaction_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM transaction t JOIN refund_batch b ON b.merchant_id = t.merchant_id AND b.live = t.live
                WHERE t.id = NEW.transaction_id AND b.id = NEW.batch_id) THEN
            RAISE EXCEPTION 'transaction % is not of the merchant and mode of refund batch %', NEW.transaction_id, NEW.batch_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refund_batch_item_of_its_merchant';
        END IF;
        IF NEW.refund_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM refund WHERE id = NEW.refund_id AND transaction_id = NEW.transaction_id
                    AND amount_minor = NEW.amount_minor AND currency = NEW.currency) THEN
            RAISE EXCEPTION 'refund % is not what item % of refund batch % asks for', NEW.refund_id, NEW.number, NEW.batch_id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'refund_batch_item_has_its_refund';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refund_batch_item_of_an_open_batch BEFORE INSERT OR UPDATE ON refund_batch_item
        FOR EACH ROW EXECUTE FUNCTION refund_batch_item_of_an_open_batch();
    ALTER TABLE refund_batch_item ENABLE ALWAYS TRIGGER refund_batch_item_of_an_open_batch;
    """,
    """
    DROP TRIGGER refund_batch_item_of_an_open_batch ON refund_batch_item;
    DROP FUNCTION refund_batch_item_of_an_open_batch;
    """,
)

# What the approver of a batch relies on, as one row that a proposal can pin: each item, and what is left to refund of its transaction.
_PINNED = migrations.RunSQL(
    """
    CREATE VIEW refund_batch_pinned AS
    SELECT b.id, b.state, b.content_hash, i.items
    FROM refund_batch b CROSS JOIN LATERAL (
        SELECT coalesce(encode(sha256(convert_to(string_agg(concat_ws(' ', i.number, i.state, i.transaction_id, i.amount_minor, i.currency,
                   t.amount_captured_minor - t.amount_refunded_minor - t.amount_refund_pending_minor), ',' ORDER BY i.number), 'UTF8')),
                   'hex'), '') AS items
        FROM refund_batch_item i LEFT JOIN transaction t ON t.id = i.transaction_id
        WHERE i.batch_id = b.id
    ) i
    """,
    "DROP VIEW refund_batch_pinned",
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_refund_batches"), ("common", "0004_proposal_rules")]
    operations = [
        no_delete("refund_batch"),
        no_delete("refund_batch_item"),
        listed_moves("refund_batch", "state", REFUND_BATCH_MOVES),
        listed_moves("refund_batch_item", "state", REFUND_ITEM_MOVES),
        fixed_columns("refund_batch", ["merchant_id", "live", "content_hash", "item_count", "refused_count"]),
        fixed_columns(
            "refund_batch_item",
            ["batch_id", "number", "given", "transaction_id", "currency", "amount_minor", "reason"],
        ),
        needs_approval(
            "refund_batch",
            "proposal_id",
            ["refund_batch.approve"],
            when="NEW.state IN ('APPROVED', 'DONE')",
            event="INSERT OR UPDATE",
        ),
        _ITEM_RULES,
        _PINNED,
    ]
