from reconciliation.models.bank import BankLine, Remittance
from reconciliation.models.break_filter import BreakFilter
from reconciliation.models.day import CloseState, DayClose
from reconciliation.models.fee_claim import FeeClaim, FeeClaimLine, FeeClaimRefund
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
from reconciliation.models.ruleset import RULE_SET_MOVES, Comparison, Rehearsal, RuleSet, RuleSetState
from reconciliation.models.settlement import (
    ReserveRelease,
    Settlement,
    SettlementLine,
    SettlementState,
)
from reconciliation.models.statement import LineType, Statement, StatementFile, StatementLine, StatementState
from reconciliation.models.terms import PayTo, SettlementTerms

__all__ = [
    "RULE_SET_MOVES",
    "BankLine",
    "BankMatch",
    "Break",
    "BreakComment",
    "BreakFilter",
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
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementState",
]
