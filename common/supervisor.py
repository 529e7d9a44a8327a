"""One owner for all processes: a child that dies is started again, one that keeps dying stops everything.

Five restarts within a minute, each after a longer pause, are a fault that restarting does not cure; then GaveUp names the child and
shows the end of its log. No thread is used: the parent-death signal of a child follows the thread that started it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common.processes import Command, Process, stop_all

MAX_RESTARTS = 5
WITHIN_SECONDS = 60.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
_TICK_SECONDS = 0.1


class GaveUp(Exception):
    """A child cannot be kept alive, or something did not get ready in time."""


class StopRequested(Exception):
    """Somebody asked the owner to stop."""


@dataclass
class _Watched:
    process: Process
    restarts: deque[float] = field(default_factory=deque)
    start_at: float | None = None  # when a dead one is started again


class Supervisor:
    """Watches processes from the owner's main thread. `report` gets one line for each start, end and restart."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._watched: list[_Watched] = []
        self._stop_requested = False

    def watch(self, process: Process) -> None:
        """Take over a process that runs."""
        self._watched.append(_Watched(process))

    def start(self, command: Command) -> None:
        process = Process(command)
        process.start()
        self.watch(process)
        self._report(f"{command.name} started (process {process.pid})")

    def check(self) -> None:
        """Start again what has died. Raises GaveUp."""
        now = time.monotonic()
        for watched in self._watched:
            code = watched.process.poll()
            if code is None:
                continue
            name = watched.process.command.name
            if watched.start_at is None:
                while watched.restarts and watched.restarts[0] < now - WITHIN_SECONDS:
                    watched.restarts.popleft()
                if len(watched.restarts) == MAX_RESTARTS:
                    raise GaveUp(
                        f"{name} ended {MAX_RESTARTS + 1} times within {WITHIN_SECONDS:.0f} seconds ({_ended(code)}). "
                        f"The end of {watched.process.command.log}:\n{watched.process.last_lines()}"
                    )
                watched.start_at = now + _PAUSES[len(watched.restarts)]
                self._report(f"{name} ended ({_ended(code)}), starting it again")
            elif now >= watched.start_at:
                watched.restarts.append(now)
                watched.start_at = None
                watched.process.start()

    def run(self, command: Command) -> int:
        """Run a command to its end while watching the others. Returns its exit code."""
        process = Process(command)
        process.start()
        try:
            while (code := process.poll()) is None:
                self._tick()
        finally:
            stop_all([process])
        return code

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str]) -> None:
        """Wait for `ready` while watching. Raises GaveUp with what `otherwise` says."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise GaveUp(otherwise())
            self._tick()

    def watch_for_ever(self) -> None:
        while True:
            self._tick()

    def request_stop(self) -> None:
        """Safe in a signal handler: the next look at the children raises StopRequested."""
        self._stop_requested = True

    def stop(self) -> None:
        stop_all([watched.process for watched in self._watched])

    def _tick(self) -> None:
        if self._stop_requested:
            raise StopRequested
        self.check()
        time.sleep(_TICK_SECONDS)


def read_procfile(path: Path) -> dict[str, list[str]]:
    """Name and command of each line. The shell expands variables, as every Procfile manager does, and is replaced by the command."""
    lines = (line.partition(":") for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): ["/bin/sh", "-c", f"exec {command.strip()}"] for name, _, command in lines}


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
