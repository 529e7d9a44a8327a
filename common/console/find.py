"""Find anything: the box of every page (Ctrl+K) leads from a whole reference to its record, and from a word to the pages that carry it.

What may be found is what the lists show to this operator, looked up by columns that lead an index, and never kept: the theme's own search
reads whole tables and remembers for minutes what somebody was allowed to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from common.console.html import list_url, page_url

LONGEST = 120  # no reference is longer
EACH = 5  # records of one kind
PAGES = 8


def find(site: AdminSite, navigation: list[dict[str, Any]], request: HttpRequest, term: str) -> list[SearchResult]:
    """Pages whose name has `term`, then records that it names."""
    term = term.strip()
    if not term or len(term) > LONGEST or not term.isprintable():
        return []
    pages = [
        (group.get("title", ""), item) for group in navigation for item in group["items"] if item["has_permission"]
    ]
    return list(chain(islice(_pages(pages, term), PAGES), _records(site, pages, request, term)))


def _pages(pages: list[tuple[str, dict[str, Any]]], term: str) -> Iterator[SearchResult]:
    for group, item in pages:
        if len(term) > 1 and term.lower() in item["title"].lower():
            yield SearchResult(item["title"], group, str(item["link"]), item.get("icon"))


def _records(
    site: AdminSite, pages: list[tuple[str, dict[str, Any]]], request: HttpRequest, term: str
) -> Iterator[SearchResult]:
    icons = {str(item["link"]): item.get("icon") for _, item in pages}
    for model, page in site._registry.items():
        rows = page.find(request, term) if hasattr(page, "find") and page.has_view_permission(request) else None
        for row in rows[:EACH] if rows is not None else ():
            kind = str(model._meta.verbose_name)
            yield SearchResult(str(row), kind[:1].upper() + kind[1:], page_url(row), icons.get(list_url(model)))
