"""The live streams' port follows the site's, unless another program has it: then it is any free one, and `start` says so."""

from __future__ import annotations

import io
import socket
import time
from types import SimpleNamespace

from common.embedded import port_is_free
from common.management.commands.start import Command


def test_a_taken_port_is_told_and_another_one_chosen() -> None:
    said = io.StringIO()
    command, services = Command(stdout=said), SimpleNamespace(unclean=False)
    command.began = time.monotonic()

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken: int = other.getsockname()[1]
        chosen = command.claim_live("127.0.0.1", taken - 1, services)  # type: ignore[arg-type]

    assert chosen != taken
    assert port_is_free("127.0.0.1", chosen)
    assert f"port {taken} is taken by another program: live streams listen on {chosen}" in said.getvalue()
