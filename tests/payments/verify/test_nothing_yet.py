"""The books of an installation in which nothing has happened."""

from __future__ import annotations

import pytest

from tests.payments.verify.books import wrong


@pytest.mark.django_db
def test_an_empty_installation_is_right() -> None:
    assert wrong() == {}
