from common.models.audit import AuditLink, AuditRecord
from common.models.outbox import Fact
from common.models.proposal import Proposal, ProposalState

__all__ = ["AuditLink", "AuditRecord", "Fact", "Proposal", "ProposalState"]
