"""What a payer's browser understands of a page: its first form, as it would be sent."""

from __future__ import annotations

from html.parser import HTMLParser

_NOT_SENT = ("submit", "button", "reset", "image", "file")


class Form(HTMLParser):
    """Feed it a page. `action` is None where the page has no form; `values` are the preselected ones."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.method = "GET"
        self.values: dict[str, str] = {}
        self.asks_decision = False
        self.only_hidden = True  # nothing to fill in or to choose: a form that scripts submit by themselves
        self._inside = False
        self._select = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self._inside, self.action = True, given.get("action", "")
            self.method = "POST" if given.get("method", "").lower() == "post" else "GET"
        if not self._inside:
            return
        name, kind = given.get("name", ""), given.get("type", "text").lower()
        if name == "decision":
            self.asks_decision = True
        elif tag == "input" and kind not in _NOT_SENT:
            self.only_hidden = self.only_hidden and kind == "hidden"
            if name and (kind not in ("radio", "checkbox") or "checked" in given):
                self.values[name] = given.get("value", "on" if kind == "checkbox" else "")
        elif tag in ("select", "textarea"):
            self.only_hidden = False
            self._select = name if tag == "select" else ""
        elif tag == "option" and self._select and "disabled" not in given:
            chosen = self.values.get(self._select) if "selected" not in given else None
            self.values[self._select] = given.get("value", "") if chosen is None else chosen

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "form":
            self._inside = False
