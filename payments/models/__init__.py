from payments.models.account import Account
from payments.models.bank import Bank
from payments.models.fee import FeeCharge, FeePlan
from payments.models.ledger import JournalEntry, LedgerAccount, Posting
from payments.models.operation import Operation
from payments.models.payment import Payment
from payments.models.provider_event import ProviderEvent
from payments.models.refund import Refund
from payments.models.refund_batch import RefundBatch, RefundBatchItem
from payments.models.review import ReviewItem
from payments.models.transaction import Transaction
from payments.models.transfer_run import TransferRun, TransferRunItem

__all__ = [
    "Account",
    "Bank",
    "FeeCharge",
    "FeePlan",
    "JournalEntry",
    "LedgerAccount",
    "Operation",
    "Payment",
    "Posting",
    "ProviderEvent",
    "Refund",
    "RefundBatch",
    "RefundBatchItem",
    "ReviewItem",
    "Transaction",
    "TransferRun",
    "TransferRunItem",
]
