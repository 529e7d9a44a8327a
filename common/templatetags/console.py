"""The console's ways of showing things, for templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from common.console import html

register = template.Library()
register.simple_tag(html.money, name="money")
register.filter("moment", html.moment)
register.filter("badge", html.badge)
register.filter("mode", html.mode)
register.filter("copyable", html.copyable)
register.filter("page_url", html.page_url)
register.filter("pretty_json", html.pretty_json)
register.simple_tag(html.cut_off, name="cut_off")


@register.simple_tag
def badge_of(row: Any, field: str) -> Any:
    """The badge of a field with choices."""
    return html.badge(getattr(row, field), getattr(row, f"get_{field}_display")())


@register.inclusion_tag("admin/common/_dialog_button.html")
def dialog_button(
    name: str, key: Any, label: str, icon: str, *, primary: bool = False, small: bool = False
) -> dict[str, Any]:
    """A button that opens an action's dialog."""
    return {"url": reverse(name, args=[key]), "label": label, "icon": icon, "primary": primary, "small": small}
