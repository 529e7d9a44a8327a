from common.models.audit import AuditLink, AuditRecord
from common.models.outbox import Fact

__all__ = ["AuditLink", "AuditRecord", "Fact"]
