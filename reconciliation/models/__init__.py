from reconciliation.models.bank import BankLine, Remittance
from reconciliation.models.day import CloseState, DayClose
from reconciliation.models.fee_claim import FeeClaim, FeeClaimLine, FeeClaimRefund
from reconciliation.models.matching import (
    BankMatch,
    Break,
    BreakComment,
    BreakKind,
    Comparison,
    Match,
    MatchGroup,
    MatchRule,
    ReconciliationRun,
    Resolution,
)
from reconciliation.models.settlement import (
    ReserveRelease,
    Settlement,
    SettlementLine,
    SettlementState,
)
from reconciliation.models.statement import LineType, Statement, StatementFile, StatementLine, StatementState
from reconciliation.models.terms import PayTo, SettlementTerms

__all__ = [
    "BankLine",
    "BankMatch",
    "Break",
    "BreakComment",
    "BreakKind",
    "CloseState",
    "Comparison",
    "DayClose",
    "FeeClaim",
    "FeeClaimLine",
    "FeeClaimRefund",
    "LineType",
    "Match",
    "MatchGroup",
    "MatchRule",
    "PayTo",
    "ReconciliationRun",
    "Remittance",
    "ReserveRelease",
    "Resolution",
    "Settlement",
    "SettlementLine",
    "SettlementState",
    "SettlementTerms",
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementState",
]
