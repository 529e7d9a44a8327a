"""Reading the fields of a JSON object by hand: everything that is wrong is collected, unknown fields included, then refused at once.

A DRF serializer costs a quarter of a millisecond for seven fields and reads "10.000" as 10; this costs a twentieth and reads nothing
it was not told to. The OpenAPI document describes the same fields (payments/api/v1/schemas.py), and a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from common.errors import InvalidRequest
from common.money import InvalidAmount, Money, UnknownCurrency
from merchants.api.parsing import NumberLiteral

REFERENCE = re.compile(r"[A-Za-z0-9._:/#-]{1,100}")
_WHOLE = re.compile(r"(0|[1-9][0-9]{0,8})(\.0{1,9})?")  # 5.0 is a whole number, says JSON Schema
MAX_METADATA_BYTES = 8 * 1024


class Fields:
    """The fields of one object. Each reader returns its default after noting an error, so that all errors are found."""

    def __init__(
        self, content: dict[str, Any], *, prefix: str = "", errors: dict[str, list[str]] | None = None
    ) -> None:
        self._content = content
        self._prefix = prefix
        self._errors: dict[str, list[str]] = {} if errors is None else errors
        self._read: set[str] = set()

    def refuse(self, name: str, sentence: str) -> None:
        self._errors.setdefault(self._prefix + name, []).append(sentence)

    def take(self, name: str, *, required: bool = False) -> Any:
        """The raw value; None if it is absent or null."""
        self._read.add(name)
        value = self._content.get(name)
        if value is None and required:
            self.refuse(name, "This field is required.")
        return value

    def text(self, name: str, *, maximum: int, required: bool = False) -> str:
        """Text without space around it, "" if absent."""
        value = self.take(name, required=required)
        if value is None:
            return ""
        if type(value) is not str:
            self.refuse(name, "Send a string.")
            return ""
        text: str = value.strip()
        if len(text) > maximum:
            self.refuse(name, f"At most {maximum} characters.")
        if required and not text:
            self.refuse(name, "This may not be blank.")
        return text

    def raw_text(self, name: str, *, maximum: int) -> str:
        """Required text as it is, space around it included: a password."""
        value = self.take(name, required=True)
        if value is not None and (type(value) is not str or not 0 < len(value) <= maximum):
            self.refuse(name, f"Send a string of 1 to {maximum} characters.")
            return ""
        return value or ""

    def texts(self, name: str, *, required: bool = False) -> list[str]:
        """A list of strings, empty if absent."""
        value = self.take(name, required=required)
        if value is None:
            return []
        if not isinstance(value, list) or not all(type(item) is str for item in value):
            self.refuse(name, "Send a list of strings.")
            return []
        return value

    def whole(self, name: str, *, least: int, most: int, default: int) -> int:
        """A whole number within bounds."""
        value = self.take(name)
        if value is None:
            return default
        found = _WHOLE.fullmatch(value) if isinstance(value, NumberLiteral) else None
        if found is None or not least <= int(found[1]) <= most:
            self.refuse(name, f"Send a whole number from {least} to {most}.")
            return default
        return int(found[1])

    def flag(self, name: str) -> bool | None:
        """None if absent."""
        value = self.take(name)
        if value is not None and type(value) is not bool:
            self.refuse(name, "Send true or false.")
            return None
        return value

    def reference(self, name: str) -> str | None:
        """A merchant's own reference: 1 to 100 ASCII letters, digits and . _ : / # -"""
        value = self.take(name)
        if value is None:
            return None
        if type(value) is not str or not REFERENCE.fullmatch(value):
            self.refuse(name, "Send 1 to 100 ASCII letters, digits and . _ : / # - only.")
            return None
        return value

    def choice(self, name: str, options: Collection[str], *, default: str) -> str:
        value = self.take(name)
        if value is None:
            return default
        if type(value) is not str or value not in options:
            self.refuse(name, f"Choose one of {', '.join(sorted(options))}.")
            return default
        return value

    def amount(self, name: str, currency: str, *, required: bool = False) -> Money | None:
        """An amount above zero, as a number or a string of the form 100.50. Raises UnknownCurrency."""
        value = self.take(name, required=required)
        if value is None:
            return None
        try:
            money = Money.parse(value, currency) if isinstance(value, str) else None
        except InvalidAmount:
            money = None
        if money is None or money.minor == 0:
            self.refuse(name, f"Send an amount above zero in {currency}, such as {_example(currency)}.")
            return None
        return money

    def object(self, name: str) -> Fields:
        """The fields of an object inside; an empty one if it is absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            self.refuse(name, "Send a JSON object.")
            value = None
        return Fields(value or {}, prefix=f"{self._prefix}{name}.", errors=self._errors)

    def close(self) -> None:
        """Note the fields that nobody has read."""
        for name in self._content.keys() - self._read:
            self.refuse(name[:60], "There is no such field.")

    def finish(self) -> None:
        """Raises InvalidRequest if anything was wrong."""
        self.close()
        if self._errors:
            names = ", ".join(sorted(self._errors))
            raise InvalidRequest(f"Not right: {names}.", fields=self._errors)


def _example(currency: str) -> str:
    try:
        return str(Money(10_050, currency))
    except UnknownCurrency:
        return "100.50"
