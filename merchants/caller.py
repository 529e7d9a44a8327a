"""Who is calling: what authentication found out, frozen, small and safe to cache for seconds."""

from __future__ import annotations

from dataclasses import dataclass

from common.changes import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A merchant's credential in live or test mode. Tenant and mode come from here and from nowhere else."""

    merchant_id: str
    merchant_code: str
    currency: str
    live: bool
    name: str  # for the audit: "merchant:KEDAI/cfk_test_1a2b"
    credential_id: str  # what rate limits count by
    scopes: frozenset[str]
    rate_plan: str
    require_idempotency: bool
    time_zone: str = "Asia/Kuala_Lumpur"
    session_id: str = ""  # of somebody who signed in; an API key has none

    @property
    def row_id(self) -> str:
        """The row that may be revoked: the session's, else the API key's."""
        return self.session_id or self.credential_id

    def actor(self, request_id: str) -> Actor:
        return Actor(name=self.name, request_id=request_id)
