"""Model fields that several apps need."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from iso4217 import Currency


def id_field(**options: Any) -> models.CharField[str, str]:
    """The text primary key (common.ids) of a public object."""
    return models.CharField(max_length=40, primary_key=True, editable=False, **options)


def minor_field(**options: Any) -> models.BigIntegerField[int, int]:
    """An amount in minor units of the currency beside it."""
    return models.BigIntegerField(**options)


def validate_currency(value: str) -> None:
    try:
        Currency(value)
    except ValueError as exc:
        raise ValidationError(f"{value} is not an ISO 4217 currency") from exc


def currency_field(**options: Any) -> models.CharField[str, str]:
    return models.CharField(max_length=3, validators=[validate_currency], **options)
