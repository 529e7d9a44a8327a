"""Names of ledger accounts. The name is the key: nobody looks an account up before posting to it."""

from __future__ import annotations

from dataclasses import dataclass

from payments.models.ledger import AccountKind


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account of the ledger, by what it is for."""

    kind: AccountKind
    currency: str
    live: bool
    merchant_id: str | None = None
    provider_account_id: str | None = None
    account_id: str | None = None  # of a merchant's own account; the merchant's is given too
    bank_account: str | None = None  # of ours: the bank's source and the account number, "mybank/5140..."

    @property
    def code(self) -> str:
        owner = self.account_id or self.bank_account or self.merchant_id or self.provider_account_id or "house"
        return f"{self.kind}:{owner}:{'live' if self.live else 'test'}:{self.currency}"
