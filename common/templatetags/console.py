"""The console's ways of showing things, for templates."""

from __future__ import annotations

from django import template

from common.console import html

register = template.Library()
register.simple_tag(html.money, name="money")
register.filter("moment", html.moment)
register.filter("badge", html.badge)
register.filter("mode", html.mode)
register.filter("copyable", html.copyable)
register.filter("page_url", html.page_url)
register.filter("pretty_json", html.pretty_json)
