"""Who plays: merchants of both checksum schemes. The last one keeps the documents' rate limits, the others have the demo plan's."""

from __future__ import annotations

from dataclasses import dataclass, field

from merchants.models.merchant import ChecksumScheme, RatePlan


@dataclass(frozen=True, slots=True)
class Role:
    """One merchant of the demo. `extra_fields` are what its EPS requests have to carry, with a valid value."""

    code: str
    name: str
    scheme: ChecksumScheme
    extra_fields: dict[str, str] = field(default_factory=dict)
    plan: RatePlan = RatePlan.DEMO


CAST = (
    Role("BAYUMART", "Bayu Mart", ChecksumScheme.EPIC_V1, {"KOD_HASIL": "KH001"}),
    Role("SINARTEL", "Sinar Telekom", ChecksumScheme.EPIC_V1, {"PROCESS_CODE": "P01", "MODULE_ID": "M1"}),
    Role("TASIKINN", "Tasik Inn", ChecksumScheme.EPIC_V2),
    Role("RIMBACITY", "Rimba City Council", ChecksumScheme.EPIC_V2, {"KOD_HASIL": "KH002"}),
    Role("DAMARKOPI", "Damar Kopi", ChecksumScheme.EPIC_V2, plan=RatePlan.DEFAULT),
)

# The first merchant's sandbox accounts (S2) and what is paid in to each when it is opened, in cents.
ACCOUNTS = {
    "acc_123": 100_000_000,
    "acc_456": 100_000_000,
    "test_acc_001": 100_000_000,
    "test_acc_002": 100_000_000,
    "test_acc_empty": 0,
}

OPERATORS = {  # username -> role; the first one is the superuser
    "puteri": "superuser",
    "operasi": "operations",
    "bayaran": "refunds",
    "kewangan": "finance",
    "ketua": "finance_lead",
    "pendaftar": "onboarding",
    "bantuan": "support",
    "juruaudit": "auditor",
}
