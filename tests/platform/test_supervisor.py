"""A child that dies is started again; one that keeps dying ends the watch, named, with the end of its log."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from common import supervisor as module
from common.processes import Command, Process, stop_all
from common.supervisor import GaveUp, StopRequested, Supervisor, read_procfile
from tests.platform.processes import eventually, processes_of


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_PAUSES", (0.0,) * 5)
    monkeypatch.setattr(module, "_TICK_SECONDS", 0.01)
    supervisor = Supervisor(said.append)
    yield supervisor
    supervisor.stop()


def shell(name: str, script: str, folder: Path) -> Command:
    return Command(name, ["/bin/sh", "-c", script], log=folder / f"{name}.log", directory=folder)


def started(said: list[str]) -> int:
    """The process number of the last "web started (process 17)"."""
    return int(said[-1].rsplit(" ", 1)[1].rstrip(")"))


def test_a_killed_child_is_started_again(supervisor, said, tmp_path):
    supervisor.start(shell("worker", "echo run >> runs; exec sleep 600", tmp_path))
    eventually(lambda: (tmp_path / "runs").exists())
    os.kill(started(said), signal.SIGKILL)

    supervisor.wait_until(
        lambda: (tmp_path / "runs").read_text() == "run\nrun\n", seconds=20, otherwise=lambda: "no second run"
    )

    assert said[1:] == ["worker ended (signal 9), starting it again"]


def test_a_child_that_keeps_dying_ends_the_watch_and_is_named(supervisor, said, tmp_path):
    supervisor.start(shell("steady", "exec sleep 600", tmp_path))
    supervisor.start(shell("worker", "echo run >> runs; echo no such table >&2; exit 3", tmp_path))

    with pytest.raises(GaveUp, match=r"worker ended 6 times within 60 seconds \(exit code 3\)(?s:.*)no such table"):
        supervisor.watch_for_ever()

    assert (tmp_path / "runs").read_text() == "run\n" * 6
    supervisor.stop()
    assert processes_of(tmp_path) == {}


def test_a_dead_child_leaves_no_children_of_its_own(supervisor, said, tmp_path):
    supervisor.start(shell("web", "sleep 600 & echo up > up; wait", tmp_path))
    eventually(lambda: (tmp_path / "up").exists() and len(processes_of(tmp_path)) == 2)
    before = set(processes_of(tmp_path))

    os.kill(started(said), signal.SIGKILL)
    supervisor.wait_until(
        lambda: before.isdisjoint(processes_of(tmp_path)), seconds=20, otherwise=lambda: "an orphan stayed"
    )


def test_a_child_that_does_not_stop_when_asked_is_killed(tmp_path):
    stubborn = Process(shell("stubborn", "trap '' TERM; echo up > up; while :; do sleep 0.1; done", tmp_path))
    stubborn.start()
    eventually(lambda: (tmp_path / "up").exists())

    stop_all([stubborn], seconds=0.3)

    assert stubborn.poll() == -signal.SIGKILL
    assert processes_of(tmp_path) == {}


def test_a_request_to_stop_ends_every_wait(supervisor, tmp_path):
    supervisor.request_stop()

    with pytest.raises(StopRequested):
        supervisor.run(shell("migrate", "exec sleep 600", tmp_path))

    assert processes_of(tmp_path) == {}


def test_the_procfile_expands_variables_with_defaults(supervisor, tmp_path):
    (tmp_path / "Procfile").write_text("# comment\nweb: /bin/echo ${HOST:-127.0.0.1} $PORT\n\nworker: true\n")

    commands = read_procfile(tmp_path / "Procfile")

    assert list(commands) == ["web", "worker"]
    log = tmp_path / "web.log"
    code = supervisor.run(Command("web", commands["web"], log=log, environment={"PORT": "81"}, directory=tmp_path))
    assert (code, log.read_text()) == (0, "127.0.0.1 81\n")
