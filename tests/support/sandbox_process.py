"""The provider sandbox as a real process on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from common.embedded import free_port

_START_SECONDS = 20


class SandboxProcess:
    """`url` is valid after start(); the books are in `data_dir` and outlive a restart on the same port."""

    def __init__(self, data_dir: Path, *, port: int = 0, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "SANDBOX_SILENCE_SECONDS": "3", "SANDBOX_CALLBACK_RETRY_SECONDS": "0.3"}
        self._environment |= dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> SandboxProcess:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log = (self.data_dir / "log").open("ab")
        arguments = ["-m", "sandbox", "--bind", f"127.0.0.1:{self.port}", "--data-dir", str(self.data_dir)]
        self._process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log, env=self._environment)
        log.close()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                requests.get(f"{self.url}/healthz", timeout=1)
            except requests.ConnectionError:
                time.sleep(0.02)
            else:
                return self
        raise RuntimeError(f"the sandbox did not start:\n{(self.data_dir / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=15)
            self._process = None

    def kill(self) -> None:
        """Without a chance to finish anything; returns when the port is free again."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(timeout=15)
        self._process = None
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)):
                    return
        raise RuntimeError("the killed sandbox still answers")
