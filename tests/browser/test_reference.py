"""The API reference in a real browser, both ways of showing it: readable, under our Content-Security-Policy, from our own host alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/api/docs/", ".opblock-summary"), ("/api/redoc/", "#reference h1")],
)
def test_it_is_shown_and_asks_nobody_else(browser: Any, live_server: Any, path: str, shown: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))

    page.goto(live_server.url + path)
    expect(page.locator(shown).first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")

    own = (f"{live_server.url}/", "data:", f"blob:{live_server.url}/")
    assert [url for url in asked if not url.startswith(own)] == []
    assert troubles == []
    fonts = page.evaluate("[...document.fonts].length")
    assert fonts == 0
