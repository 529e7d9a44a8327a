"""Filters by what the code knows."""

from __future__ import annotations

from common.console.filters import choice_filter
from payments.providers.registry import PROVIDERS

ProviderFilter = choice_filter("provider", "provider", sorted(PROVIDERS))
