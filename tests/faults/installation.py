"""A whole Counterfoil of its own: the Procfile's processes, a Redis, a provider sandbox, a merchant's server, on a database of its own.

Each process can be killed, armed with a crash point and started again. Whatever is found dead while a test waits is started again
unarmed, as a supervisor would, and remembered in `deaths`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis
import requests

from common.embedded import Services, free_port
from common.health import HEARTBEAT_KEY
from common.processes import Command, Process, stop_all
from common.supervisor import read_procfile
from tests.support.sandbox_process import SandboxProcess

ROOT = Path(__file__).resolve().parent.parent.parent
# A server that restarts its own workers would hide the death that the test is waiting for, and restart them armed.
_RESPAWN = "--respawn-failed-workers --respawn-interval 0.5"
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05


class Installation:
    """Use start() and stop(), in one thread: the processes end with the thread that started them."""

    def __init__(self, folder: Path, *, database_url: str) -> None:
        self.deaths: list[str] = []
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._services = Services(folder / "services", environment={"DATABASE_URL": database_url}, ephemeral=True)
        self._database_url = database_url
        self._processes: dict[str, Process] = {}
        self.sandbox = SandboxProcess(folder / "sandbox")

    def start(self) -> Installation:
        self.redis_url = self._services.start()["REDIS_URL"]
        (self._folder / "data").mkdir()
        self.sandbox.start()
        for name in ("web", "worker", "scheduler"):
            self.restart(name)
        self.until(lambda: bool(self.redis().exists(HEARTBEAT_KEY)), "the worker's first heartbeat")
        return self

    def stop(self) -> None:
        stop_all([self._processes[name] for name in self._processes], seconds=5)
        self.sandbox.stop()
        self._services.stop()

    # -- processes ---------------------------------------------------------------------------------------------------------
    def restart(self, name: str, *, crashpoint: str = "") -> None:
        """Kill it and start it again, armed if a crash point is named. Returns when it serves (web) or has been started."""
        self.kill(name)
        process = self._processes[name] = Process(self._command(name, crashpoint))
        process.start()
        if name == "web":
            self._await_web(process)

    def kill(self, name: str) -> None:
        """SIGKILL, to the process and what it has started."""
        process = self._processes.get(name)
        if process is not None and process.pid is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    def revive(self) -> None:
        """Start again, unarmed, what has died."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                self.deaths.append(name)
                self.restart(name)

    def until(self, reached: Callable[[], bool], what: str, *, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait, reviving what dies, until `reached`. Fails with `what` has not come about."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self._logs()}")
            self.revive()
            time.sleep(_POLL_SECONDS)

    def watch(self, seconds: float) -> None:
        """Revive what dies for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.revive()
            time.sleep(_POLL_SECONDS)

    # -- Redis -------------------------------------------------------------------------------------------------------------
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url, socket_timeout=2)

    def stop_redis(self) -> None:
        (valkey,) = self._services.processes
        if valkey.pid is not None:
            os.killpg(valkey.pid, signal.SIGKILL)
        valkey.wait(5)

    def start_redis(self) -> None:
        """On the same port, empty."""
        (valkey,) = self._services.processes
        valkey.start()
        self.until(self._redis_answers, "Redis")

    def _redis_answers(self) -> bool:
        try:
            return bool(self.redis().ping())
        except redis.ConnectionError:
            return False

    # -- how -----------------------------------------------------------------------------------------------------------------
    def _command(self, name: str, crashpoint: str) -> Command:
        shell, option, line = read_procfile(ROOT / "Procfile")[name]
        environment = dict(os.environ) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "config.settings.faults",
            "DATABASE_URL": self._database_url,
            "REDIS_URL": self.redis_url,
            "DATA_DIR": str(self._folder / "data"),
            "PUBLIC_URL": self.base_url,
            "SANDBOX_URL": self.sandbox.url,
            "PORT": self.base_url.rpartition(":")[2],
            "WEB_WORKERS": "1",
            "COUNTERFOIL_CRASHPOINT": crashpoint,
        }
        arguments = [shell, option, line.replace(_RESPAWN, "")]
        return Command(name, arguments, log=self._log(name), environment=environment, directory=ROOT)

    def _await_web(self, process: Process) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                requests.get(f"{self.base_url}/healthz", timeout=5)
            except requests.ConnectionError:
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise AssertionError(f"the web process did not start:\n{process.last_lines()}")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _logs(self) -> str:
        return "\n".join(f"-- {name}\n{process.last_lines(15)}" for name, process in self._processes.items())
