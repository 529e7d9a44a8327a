"""Parts of pages that apps contribute without knowing one another: cards of the dashboard, sections of the payment page.

A part is loaded only for who has its permission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure of the dashboard. `tone` is success, warning, danger or neutral."""

    title: str
    value: str
    note: str
    url: str
    tone: str = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a page. `load` gets what the page is about and returns the context of `template`."""

    permission: str
    order: int
    template: str
    load: Callable[..., Mapping[str, Any]]


CARDS: list[tuple[int, str, Callable[[], Card]]] = []  # order, permission, load
DASHBOARD: list[Part] = []
TRANSACTION_PAGE: list[Part] = []  # load(transaction=...)
PROPOSED: dict[
    str, Callable[[Any], SafeString]
] = {}  # kind of an act -> what it would do, for who decides on a proposal
SUBJECT_PAGES: dict[str, Callable[[str], str]] = {}  # type of a proposal's subject -> the address of its page, by id


def may(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    return bool(user.has_perm(permission))  # type: ignore[union-attr]


def cards(request: HttpRequest) -> list[Card]:
    """The figures this operator may see, in their order."""
    return [load() for _, permission, load in sorted(CARDS, key=lambda card: card[0]) if may(request.user, permission)]


def render_parts(parts: list[Part], request: HttpRequest, **about: Any) -> list[SafeString]:
    """The parts this operator may see, rendered in their order."""
    return [
        render_to_string(part.template, dict(part.load(**about)), request=request)
        for part in sorted(parts, key=lambda part: part.order)
        if may(request.user, part.permission)
    ]
