from reconciliation.models.bank import BankBalance, BankLine, Remittance
from reconciliation.models.break_filter import BreakFilter
from reconciliation.models.calendar import BankCalendar
from reconciliation.models.day import CloseState, DayClose
from reconciliation.models.fee_claim import FeeClaim, FeeClaimLine, FeeClaimRefund
from reconciliation.models.limit import WriteOffLimit
from reconciliation.models.matching import (
    BankMatch,
    Break,
    BreakComment,
    BreakKind,
    Match,
    MatchGroup,
    MatchRule,
    ReconciliationRun,
    Resolution,
)
from reconciliation.models.payout import FileState, Payout, PayoutBank, PayoutFile, PayoutState, PayoutWay
from reconciliation.models.quarantine import QuarantinedLine, QuarantineState
from reconciliation.models.ruleset import RULE_SET_MOVES, Comparison, Rehearsal, RuleSet, RuleSetState
from reconciliation.models.settlement import (
    ReserveRelease,
    Settlement,
    SettlementLine,
    SettlementState,
)
from reconciliation.models.source import BankAccount, FileFormat, Side, Source, SourceMapping
from reconciliation.models.statement import (
    Controls,
    LineType,
    Statement,
    StatementFile,
    StatementFileChunk,
    StatementLine,
    StatementState,
)
from reconciliation.models.terms import PayTo, SettlementTerms
from reconciliation.models.whereabouts import PaymentMoney

__all__ = [
    "RULE_SET_MOVES",
    "BankAccount",
    "BankBalance",
    "BankCalendar",
    "BankLine",
    "BankMatch",
    "Break",
    "BreakComment",
    "BreakFilter",
    "BreakKind",
    "CloseState",
    "Comparison",
    "Controls",
    "DayClose",
    "FeeClaim",
    "FeeClaimLine",
    "FeeClaimRefund",
    "FileFormat",
    "FileState",
    "LineType",
    "Match",
    "MatchGroup",
    "MatchRule",
    "PayTo",
    "PaymentMoney",
    "Payout",
    "PayoutBank",
    "PayoutFile",
    "PayoutState",
    "PayoutWay",
    "QuarantineState",
    "QuarantinedLine",
    "ReconciliationRun",
    "Rehearsal",
    "Remittance",
    "ReserveRelease",
    "Resolution",
    "RuleSet",
    "RuleSetState",
    "Settlement",
    "SettlementLine",
    "SettlementState",
    "SettlementTerms",
    "Side",
    "Source",
    "SourceMapping",
    "Statement",
    "StatementFile",
    "StatementFileChunk",
    "StatementLine",
    "StatementState",
    "WriteOffLimit",
]
