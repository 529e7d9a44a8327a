"""Lists by cursor: pages follow (created_at, id) downwards, so rows that arrive meanwhile neither repeat nor push out any.

A cursor is the last row's creation time in microseconds and its id; callers send it back as they got it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from common.errors import InvalidRequest

MAX_PAGE = 100
DEFAULT_PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = r"([0-9]{1,17})\.([a-z0-9_]{1,40})"
_CURSOR = re.compile(CURSOR)

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int = DEFAULT_PAGE
    after: tuple[datetime, str] | None = None

    def of(self, rows: QuerySet[M, Any]) -> list[Any]:
        """The rows of this page and one more, if there is one. `rows` have created_at and id and are what may be seen."""
        if self.after is not None:
            at, pk = self.after
            rows = rows.filter(Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(id__lt=pk)))
        return list(rows.order_by("-created_at", "-id")[: self.limit + 1])

    def answer(self, rows: list[Any], rendered: list[Any]) -> dict[str, Any]:
        """The JSON of a page: `rows` as of() returned them, `rendered` of the first `limit` of them."""
        more = len(rows) > self.limit
        return {"data": rendered, "nextCursor": _cursor(rows[self.limit - 1]) if more else None}


def read_page(query: QueryDict) -> Page:
    """`limit` (1 to 100) and `cursor` of a query string. Raises InvalidRequest."""
    limit = query.get("limit", str(DEFAULT_PAGE))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", limit) or int(limit) > MAX_PAGE:
        raise InvalidRequest("Not right: limit.", fields={"limit": [f"Send a number from 1 to {MAX_PAGE}."]})
    return Page(int(limit), _position(str(query["cursor"])) if "cursor" in query else None)


def _cursor(row: Any) -> str:
    micros = (row.created_at - _EPOCH) // timedelta(microseconds=1)
    return f"{micros}.{row.id}"


def _position(cursor: str) -> tuple[datetime, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidRequest("Not right: cursor.", fields={"cursor": ["Send a nextCursor as you got it."]})
    return _EPOCH + timedelta(microseconds=int(found[1])), found[2]
