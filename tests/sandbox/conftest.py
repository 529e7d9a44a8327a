"""Merchants of the session's sandbox, and sandboxes of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.merchants import FpxSeller, MigsMerchant
from tests.sandbox.receiver import Receiver, open_receiver
from tests.support.sandbox_process import SandboxProcess


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as receiver:
        yield receiver


@pytest.fixture
def seller(sandbox_url: str, receiver: Receiver) -> FpxSeller:
    return FpxSeller.open(sandbox_url, receiver)


@pytest.fixture
def merchant(sandbox_url: str, receiver: Receiver) -> MigsMerchant:
    return MigsMerchant.open(sandbox_url, receiver)


@pytest.fixture
def authoriser(sandbox_url: str, receiver: Receiver) -> MigsMerchant:
    return MigsMerchant.open(sandbox_url, receiver, "authorise")


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    """Starts sandboxes of the test's own; keyword arguments are their environment."""
    started: list[SandboxProcess] = []

    def start(**environment: str) -> SandboxProcess:
        process = SandboxProcess(tmp_path / f"sandbox{len(started)}", environment=environment).start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()
