from reconciliation.models.bank import BankLine, Remittance
from reconciliation.models.day import CloseState, DayClose
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
from reconciliation.models.statement import LineType, Statement, StatementFile, StatementLine, StatementState

__all__ = [
    "BankLine",
    "BankMatch",
    "Break",
    "BreakComment",
    "BreakKind",
    "CloseState",
    "Comparison",
    "DayClose",
    "LineType",
    "Match",
    "MatchGroup",
    "MatchRule",
    "ReconciliationRun",
    "Remittance",
    "Resolution",
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementState",
]
