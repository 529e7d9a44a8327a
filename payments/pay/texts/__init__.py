"""Every sentence of the payer's pages in every language they speak, as plain data: nothing to compile, and a test compares them."""

from __future__ import annotations

from collections.abc import Mapping

from payments.pay.texts import en, km, ms, vi

LANGUAGES: Mapping[str, str] = {"en": "English", "ms": "Melayu", "vi": "Tiếng Việt", "km": "ខ្មែរ"}  # each in its own
TEXTS: Mapping[str, Mapping[str, str]] = {"en": en.TEXTS, "ms": ms.TEXTS, "vi": vi.TEXTS, "km": km.TEXTS}
MONTHS: Mapping[str, tuple[str, ...]] = {"en": en.MONTHS, "ms": ms.MONTHS, "vi": vi.MONTHS, "km": km.MONTHS}


def say(language: str, key: str, **values: object) -> str:
    """The sentence `key` in `language` (one of LANGUAGES). Raises KeyError."""
    return TEXTS[language][key].format(**values)


def has(key: str) -> bool:
    return key in TEXTS["en"]
