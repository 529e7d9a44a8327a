"""`manage.py start` as a person runs it: up, answering, refusing a twin, and gone without a trace after SIGKILL and after Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings

from common.data_dir import running_urls
from tests.platform.processes import eventually, processes_of

SERVICES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "DATA_DIR")


class Installation:
    """A `manage.py start` on any free ports."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environment = {name: value for name, value in os.environ.items() if name not in SERVICES}

    def command(self, *more: str) -> list[str]:
        free = ["--bind", "127.0.0.1:0", "--sandbox-bind", "127.0.0.1:0", "--data-dir", str(self.data_dir)]
        return [sys.executable, str(settings.BASE_DIR / "manage.py"), "start", "--no-demo", *free, *more]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        assert self.process.poll() is None, "".join(self.lines)
        self.url = next(line.split()[-1] for line in self.lines if " ready after " in line)

    def get(self, path: str, url: str = "") -> dict[str, object]:
        with urllib.request.urlopen((url or self.url) + path, timeout=10) as answer:
            found: dict[str, object] = json.loads(answer.read())
            return found

    def child(self, name: str) -> int:
        started = next(line for line in self.lines if f"] {name} started" in line)
        return int(started.rsplit(" ", 1)[1].rstrip(")\n"))


@pytest.fixture
def installation(tmp_path: Path):
    installation = Installation(tmp_path / "var")
    yield installation
    if installation.process.poll() is None:
        installation.process.kill()
        installation.process.wait()
    eventually(lambda: processes_of(installation.data_dir) == {}, what="the end of every process")


def test_from_an_empty_folder_to_running_and_gone(installation):
    installation.start()
    host, _, port = installation.url.rpartition(":")

    assert installation.get("/healthz") == installation.get("/healthz", f"{host}:{json.loads(live(installation))}")
    assert installation.get("/readyz")["checks"] == dict.fromkeys(("database", "redis", "worker", "outbox"), "ok")
    with urllib.request.urlopen(f"{installation.url}/metrics", timeout=10) as answer:
        assert b'counterfoil_http_request_seconds_count{method="GET",route="readyz",status="200"}' in answer.read()

    twin = subprocess.run(installation.command(), env=installation.environment, capture_output=True, text=True)
    assert (twin.returncode, twin.stdout) == (1, "")
    assert f"already running on {installation.data_dir}" in twin.stderr

    taken = installation.command("--bind", f"127.0.0.1:{port}", "--data-dir", str(installation.data_dir.parent / "2"))
    taken = subprocess.run(taken, env=installation.environment, capture_output=True, text=True)
    assert taken.returncode == 1
    assert f"127.0.0.1:{port} is taken by another program" in taken.stderr

    worker = installation.child("worker")
    os.kill(worker, signal.SIGKILL)
    assert "worker ended (signal 9), starting it again" in installation.process.stdout.readline()

    installation.process.kill()
    installation.process.wait()
    eventually(lambda: processes_of(installation.data_dir) == {}, what="the end of every process")
    assert running_urls(installation.data_dir) == {}

    installation.start()  # on the data that is there
    installation.process.send_signal(signal.SIGINT)
    assert installation.process.wait(30) == 0
    assert installation.process.stdout.read().endswith("stopped\n")
    assert processes_of(installation.data_dir) == {}


def live(installation: Installation) -> str:
    """The port of the live-stream server, from its environment."""
    variables = Path(f"/proc/{installation.child('live')}/environ").read_bytes().split(b"\0")
    return next(variable.split(b"=")[1].decode() for variable in variables if variable.startswith(b"LIVE_PORT="))
