"""An operator's tab in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

PASSWORD = "a-long-enough-password"

OpenPage = Callable[..., "Console"]


@dataclass
class Console:
    """An operator's tab, with everything that went wrong in it."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def dialog(self, button: str, **fields: str) -> None:
        """Open a dialog by its button, fill it in (a select by its label), send it, and wait for the page that it leads to."""
        self.page.get_by_role("link", name=button).click()
        form = self.page.locator("#dialog")
        for name, value in fields.items():
            field = form.locator(f"[name={name}]")
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(label=value)
            else:
                field.fill(value)
        with self.page.expect_navigation():
            form.locator("button[type=submit]").click()
        self.page.wait_for_load_state("networkidle")

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def open_console(browser: Browser, live_server: LiveServer) -> Iterator[OpenPage]:
    """Sign an operator of a role in, on a desktop or a phone."""
    contexts = []

    def signed_in(role: str, *, phone: bool = False, dark: bool = False, name: str = "aisha") -> Console:
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        size = {"width": 390, "height": 844} if phone else {"width": 1440, "height": 900}
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport=size, timezone_id="Asia/Tokyo", color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        console = Console(context.new_page(), live_server.url)
        _listen(console)
        page = console.go("/admin/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        page.wait_for_url(live_server.url + "/admin/")
        return console

    yield signed_in
    for context in contexts:
        context.close()


def _listen(console: Console) -> None:
    """Note script errors (refused by the content policy, too) and requests to anywhere else."""

    def on_request(request: object) -> None:
        url = str(request.url)  # type: ignore[attr-defined]
        if not url.startswith((console.url, "data:", "blob:")):
            console.troubles.append(f"request to {url}")

    console.page.on("request", on_request)
    console.page.on("pageerror", lambda error: console.troubles.append(str(error)))
    console.page.on(
        "console", lambda message: console.troubles.append(message.text) if message.type == "error" else None
    )
