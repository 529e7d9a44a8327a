"""The Procfile's live process with a Redis of its own, and a client that reads streams as they come."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from common.embedded import Services, free_port
from common.processes import Command, Process, stop_all
from common.supervisor import read_procfile

ROOT = Path(__file__).resolve().parent.parent.parent
_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it arrived."""

    id: int
    event: str
    data: dict[str, Any]


class LiveServer:
    """Use start() and stop() in one thread."""

    def __init__(self, folder: Path, *, database_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._services = Services(folder / "services", environment={"DATABASE_URL": database_url}, ephemeral=True)
        self._folder, self._database_url = folder, database_url

    def start(self) -> LiveServer:
        self.redis_url = self._services.start()["REDIS_URL"]
        environment = dict(os.environ) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "config.settings.faults",
            "DATABASE_URL": self._database_url,
            "REDIS_URL": self.redis_url,
            "LIVE_PORT": str(self.port),
        }
        arguments = read_procfile(ROOT / "Procfile")["live"]
        command = Command("live", arguments, log=self._folder / "live.log", environment=environment, directory=ROOT)
        self.process = Process(command)
        self.start_process()
        return self

    def start_process(self) -> None:
        self.process.start()
        self._until(lambda: self.get("/healthz").status == 200, "the live process")

    def stop(self) -> None:
        stop_all([self.process], seconds=5)
        self._services.stop()

    def restart_redis(self) -> None:
        """Killed, and started again empty on the same port."""
        (valkey,) = self._services.processes
        assert valkey.pid is not None
        os.killpg(valkey.pid, signal.SIGKILL)
        valkey.wait(5)
        valkey.start()
        self._until(lambda: bool(redis.Redis.from_url(self.redis_url).ping()), "Redis")

    def listeners(self, channel: str) -> int:
        """How many subscribe to a channel."""
        with redis.Redis.from_url(self.redis_url) as client:
            return int(client.pubsub_numsub(channel)[0][1])

    def log(self) -> str:
        return (self._folder / "live.log").read_text()

    def get(self, path: str, **headers: str) -> EventClient:
        return EventClient(self.url + path, headers)

    @staticmethod
    def _until(reached: Any, what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                if reached():
                    return
            except (OSError, redis.ConnectionError):
                pass
            assert time.monotonic() < deadline, f"{what} did not come up"
            time.sleep(0.05)


class EventClient:
    """An answer; if it is a stream, its lines and events as they arrive. A silence of 20 s is a TimeoutError."""

    def __init__(self, url: str, headers: dict[str, str], *, buffer: int = 0) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        self._connection.connect()
        if buffer:  # bytes that the kernel takes for a client that does not read
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers

    def json(self) -> Any:
        return json.loads(self._response.read())

    def lines(self) -> Iterator[str]:
        """Until the stream ends."""
        while line := self._response.readline():
            yield line.decode().removesuffix("\n")

    def events(self) -> Iterator[Told]:
        """Until the stream ends; comments are passed over, and what was cut off in the middle does not count."""
        fields: dict[str, str] = {}
        try:
            for line in self.lines():
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    fields[name] = value
                elif not line and fields:
                    yield Told(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                    fields = {}
        except http.client.IncompleteRead:
            return

    def next(self, count: int = 1) -> list[Told]:
        """The next events."""
        told = list(islice(self.events(), count))
        assert len(told) == count, f"the stream ended after {told}"
        return told

    def close(self) -> None:
        self._response.close()
        self._connection.close()
