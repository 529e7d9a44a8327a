"""Helpers to look at real processes from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def eventually(true: Callable[[], bool], *, seconds: float = 20.0, what: str = "it") -> None:
    """Wait until `true`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def processes_of(marker: Path | str) -> dict[int, str]:
    """Processes whose command line, working directory or environment names `marker`, by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            texts = [command, (entry / "environ").read_bytes(), str((entry / "cwd").readlink()).encode()]
        except OSError:
            continue  # gone, or not ours to see
        if command and any(str(marker).encode() in text for text in texts):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found
