from merchants.models.api_key import ApiKey
from merchants.models.idempotency import IdempotencyRecord
from merchants.models.merchant import Merchant
from merchants.models.provider_account import ProviderAccount
from merchants.models.user import MerchantSession, MerchantUser, RefreshToken

__all__ = [
    "ApiKey",
    "IdempotencyRecord",
    "Merchant",
    "MerchantSession",
    "MerchantUser",
    "ProviderAccount",
    "RefreshToken",
]
