"""Fixtures of the provider contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.listener import Listener, callback_listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with callback_listener() as listener:
        yield listener


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A contract test that takes `kind` runs once for each operation that the provider sends."""
    if "kind" in metafunc.fixturenames and metafunc.cls is not None:
        metafunc.parametrize("kind", list(metafunc.cls.follow_ups), ids=str)
