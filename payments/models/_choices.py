"""Choices for model fields out of the state enums, which know no Django."""

from __future__ import annotations

from enum import StrEnum


def choices(states: type[StrEnum]) -> list[tuple[str, str]]:
    return [(state.value, state.value.replace("_", " ").capitalize()) for state in states]


def one_of(states: type[StrEnum]) -> list[str]:
    return [state.value for state in states]
