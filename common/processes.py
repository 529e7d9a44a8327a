"""A child never outlives its owner, and never leaves its own children behind.

Each child leads a session of its own, so a terminal's Ctrl-C reaches only the owner, which stops children in order. The kernel
signals the child when the thread that started it dies, SIGKILL included (Linux's parent-death signal). When a child has ended, what
is left of its process group is killed before the child is reaped, while nobody else can have been given its number.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class User:
    """The unprivileged account that a child of root is switched to."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `log` None lets the child write to the owner's terminal; `stdin` is written once and closed."""

    name: str
    arguments: Sequence[str]
    log: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    directory: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    user: User | None = None
    stdin: bytes = field(default=b"", repr=False)


class Process:
    """A command that can be started, watched, stopped and started again."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        log: IO[bytes] | None = None
        if self.command.log:
            log = self.command.log.open("ab")
            self._log_start = log.tell()
        try:
            self._popen = subprocess.Popen(
                list(self.command.arguments),
                stdin=subprocess.PIPE if self.command.stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.command.directory,
                env=dict(self.command.environment),
                preexec_fn=_before_exec(self.command.stop_signal, self.command.user),
            )
        finally:
            if log:
                log.close()
        if self._popen.stdin:
            self._popen.stdin.write(self.command.stdin)
            self._popen.stdin.close()

    def poll(self) -> int | None:
        """The exit code (negative: the signal), None while it runs. Sweeps what an ended child left of its group."""
        if self._popen is None:
            return 0
        if self._popen.returncode is None:
            try:
                ended = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                ended = None
            if ended:
                _signal_group(self._popen.pid, signal.SIGKILL)
        return self._popen.poll()

    def ask_to_stop(self) -> None:
        if self._popen and self.poll() is None:
            self._popen.send_signal(self.command.stop_signal)

    def wait(self, seconds: float) -> None:
        """Wait for the end; after `seconds` kill the whole group."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > deadline and self._popen:
                _signal_group(self._popen.pid, signal.SIGKILL)
            time.sleep(0.02)

    def last_lines(self, count: int = 12) -> str:
        """The end of what the child wrote to its log since its last start."""
        if not self.command.log:
            return ""
        with self.command.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - 8192))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def stop_all(processes: Sequence[Process], *, seconds: float = 10.0) -> None:
    """Ask all to stop at once, then wait for each."""
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.wait(seconds)


def end_with_parent() -> None:
    """Have the kernel ask this process to stop (SIGTERM) when its parent dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _before_exec(on_owner_death: signal.Signals, user: User | None) -> Callable[[], None]:
    owner = os.getpid()

    def run() -> None:
        os.setsid()
        if user:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
        _libc.prctl(_PR_SET_PDEATHSIG, on_owner_death, 0, 0, 0)  # after setuid, which clears it
        if os.getppid() != owner:
            os._exit(1)  # the owner died before the line above took hold

    return run
