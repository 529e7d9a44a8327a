"""Merchants: who sells, in which currency, and how their `/eps` messages are signed."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from common.crypto import seal, unseal
from common.fields import currency_field, id_field


class ChecksumScheme(models.TextChoices):
    """How CHECKSUM of the EPS messages is made (contracts section 5)."""

    EPIC_V1 = "epic-v1", "epic-v1 (AES, existing merchants)"
    EPIC_V2 = "epic-v2", "epic-v2 (HMAC)"


class RatePlan(models.TextChoices):
    DEFAULT = "default", "Default"
    DEMO = "demo", "Demo (100,000 a minute)"


class Merchant(models.Model):
    """A merchant (S0 MERCHANTS). `eps_api_key` and `pass_phrase` are sealed; the first is needed to check epic-v1 only."""

    id = id_field()
    code = models.CharField(
        max_length=20,
        unique=True,
        # Never a leading digit: epic-v1 joins AMOUNT and MERCHANT_CODE with nothing between them.
        validators=[
            RegexValidator(r"^[A-Z][A-Z0-9]{1,19}\Z", "Two to twenty capital letters and digits, a letter first.")
        ],
    )
    name = models.CharField(max_length=120)
    contact_email = models.EmailField()
    currency = currency_field(default="MYR")
    time_zone = models.CharField(max_length=50, default="Asia/Kuala_Lumpur")
    checksum_scheme = models.CharField(max_length=10, choices=ChecksumScheme, default=ChecksumScheme.EPIC_V2)
    eps_api_key_sealed = models.TextField(blank=True, default="")
    pass_phrase_sealed = models.TextField(blank=True, default="")
    extra_fields = models.JSONField(
        default=list, blank=True, help_text="Names of the EPS fields this merchant must send."
    )
    eps_live = models.BooleanField(
        default=False, help_text="EPS messages act on the live provider accounts instead of the test ones."
    )
    rate_plan = models.CharField(max_length=20, choices=RatePlan, default=RatePlan.DEFAULT)
    require_idempotency = models.BooleanField(null=True, blank=True, help_text="Unknown: required for live keys only.")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "merchant"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Z][A-Z0-9]{1,19}$"), name="merchant_code_begins_with_a_letter"
            )
        ]

    def __str__(self) -> str:
        return self.code

    def seal_secrets(self, *, eps_api_key: str, pass_phrase: str) -> None:
        """Set both EPS secrets (not saved)."""
        self.eps_api_key_sealed = seal(eps_api_key, bound_to=f"merchant.eps_api_key.{self.pk}")
        self.pass_phrase_sealed = seal(pass_phrase, bound_to=f"merchant.pass_phrase.{self.pk}")

    @property
    def eps_api_key(self) -> str:
        return unseal(self.eps_api_key_sealed, bound_to=f"merchant.eps_api_key.{self.pk}")

    @property
    def pass_phrase(self) -> str:
        return unseal(self.pass_phrase_sealed, bound_to=f"merchant.pass_phrase.{self.pk}")
