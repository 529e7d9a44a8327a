"""Every answer carries a request id: the caller's, if it is sane."""

from __future__ import annotations

import re

import pytest
from django.test import Client

OURS = re.compile(r"req_[0-9a-z]{26}")


@pytest.mark.parametrize("given", ["a", "order-1.2_3", "x" * 64])
def test_a_sane_id_of_the_caller_is_kept(given):
    assert Client().get("/healthz", headers={"X-Request-Id": given})["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\r\nb", "ä", "<script>", "a/b", "a\n"])
def test_anything_else_is_replaced(given):
    assert OURS.fullmatch(Client().get("/healthz", headers={"X-Request-Id": given})["X-Request-Id"])


@pytest.mark.parametrize("path", ["/", "/api/v1/no-such-route", "/no-such-page", "/api/docs/"])
def test_pages_and_refusals_carry_one_too(path):
    assert OURS.fullmatch(Client().get(path)["X-Request-Id"])


def test_pages_have_a_policy_that_only_the_console_relaxes():
    landing, console = (Client().get(path)["Content-Security-Policy"] for path in ("/", "/admin/login/"))

    assert "unsafe-eval" not in landing
    assert "frame-ancestors 'none'" in landing
    assert "unsafe-eval" in console


def test_posting_a_page_needs_the_csrf_token():
    assert Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403
