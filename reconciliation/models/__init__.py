from reconciliation.models.matching import Break, BreakKind, Match, MatchRule, ReconciliationRun
from reconciliation.models.statement import LineType, Statement, StatementFile, StatementLine, StatementState

__all__ = [
    "Break",
    "BreakKind",
    "LineType",
    "Match",
    "MatchRule",
    "ReconciliationRun",
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementState",
]
