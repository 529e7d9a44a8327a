"""Sentences, amounts and times of the payer's pages, in the language of the page (`language` in the context)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template

from common.money import Money
from payments.pay import formats, texts

register = template.Library()


@register.simple_tag(takes_context=True)
def say(context: dict[str, Any], key: str, **values: object) -> str:
    """The sentence `key`, escaped like every variable."""
    return texts.say(_language(context), key, **values)


@register.simple_tag(takes_context=True)
def amount(context: dict[str, Any], minor: int, currency: str) -> str:
    return formats.amount(Money(minor, currency), _language(context))


@register.simple_tag(takes_context=True)
def moment(context: dict[str, Any], at: datetime, zone: str) -> str:
    return formats.moment(at, _language(context), zone)


@register.simple_tag
def clock(at: datetime, zone: str) -> str:
    return formats.clock(at, zone)


@register.simple_tag(takes_context=True)
def method_name(context: dict[str, Any], method: str) -> str:
    """What a payer calls a payment type; one that has no name yet is shown by its id."""
    key = f"method_{method}"
    return texts.say(_language(context), key) if texts.has(key) else method.upper().replace("_", " ")


def _language(context: dict[str, Any]) -> str:
    found: str = context.get("language", "en")
    return found
