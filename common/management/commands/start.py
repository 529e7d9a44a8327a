"""`manage.py start`: from an empty folder to a running installation, owned by this one process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common.embedded import AlreadyRunning, CannotStart, Services, free_port, grant_app_role, port_is_free, role_of
from common.processes import Command as Child
from common.processes import end_with_parent
from common.supervisor import GaveUp, StopRequested, Supervisor, read_procfile
from common.wheels import NotInstalled

READY_SECONDS = 60.0
PORT_GRACE_SECONDS = 10.0  # what a killed predecessor's servers may take to go away


class Command(BaseCommand):
    help = "Start services and processes, load the demo, play a business day; Ctrl-C stops everything."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="no demo merchants and no business day")
        parser.add_argument("--bind", default="127.0.0.1:8000", help="where the site listens; port 0 takes a free one")
        parser.add_argument("--sandbox-bind", default="127.0.0.1:8100", help="where the providers' sandbox listens")
        parser.add_argument("--data-dir", default=str(settings.DATA_DIR), help="databases, logs and secrets live here")

    def handle(self, *, no_demo: bool, bind: str, sandbox_bind: str, data_dir: str, **_options: Any) -> None:
        self.began = time.monotonic()
        self.data_dir = Path(data_dir).resolve()
        self.supervisor = Supervisor(self.say)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.supervisor.request_stop())
        if "MAKELEVEL" in os.environ:  # whoever kills `make run` means us
            end_with_parent()
        services = Services(self.data_dir)
        try:
            urls = services.start()
        except (AlreadyRunning, CannotStart, NotInstalled) as exc:
            raise CommandError(str(exc)) from exc
        try:
            self.bring_up(services, urls, bind, sandbox_bind)
            if no_demo or not self.play():
                self.show_where_to_look()
            self.say(f"everything runs; logs in {self.data_dir}/log; Ctrl-C stops everything")
            self.supervisor.watch_for_ever()
        except StopRequested:
            failure = None
        except GaveUp as exc:
            failure = str(exc)
        finally:
            self.supervisor.stop()
            services.stop()
        if failure:
            raise CommandError(f"{failure}\nEverything was stopped.")
        self.say("stopped")

    # -- up ----------------------------------------------------------------------------------------------------------------
    def bring_up(self, services: Services, urls: dict[str, str], bind: str, sandbox_bind: str) -> None:
        self.say(f"PostgreSQL and Redis are up, data in {self.data_dir}")
        for process in services.processes:
            self.supervisor.watch(process)
        host, port = self.claim(bind, services)
        live_port = self.claim_live(host, port, services)
        sandbox = "{}:{}".format(*self.claim(sandbox_bind, services))
        self.url = f"http://{host}:{port}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": urls["DATABASE_URL"],
            "REDIS_URL": urls["REDIS_URL"],
            "DATA_DIR": str(self.data_dir),
            "HOST": host,
            "PORT": str(port),
            "LIVE_PORT": str(live_port),
            "LIVE_URL": f"http://{host}:{live_port}",
            "SANDBOX_BIND": sandbox,
            "SANDBOX_URL": f"http://{sandbox}",
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or self.url,
            "PROMETHEUS_MULTIPROC_DIR": str(self.data_dir / "metrics"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("DATABASE_OWNER_URL", None)
        shutil.rmtree(self.data_dir / "metrics", ignore_errors=True)  # counts of processes that are gone
        (self.data_dir / "metrics").mkdir()
        if role_of(urls["DATABASE_URL"]) != role_of(urls["DATABASE_OWNER_URL"]):
            grant_app_role(urls["DATABASE_OWNER_URL"], role_of(urls["DATABASE_URL"]))
        self.prepare("migrate", "--noinput", "-v0", DATABASE_OWNER_URL=urls["DATABASE_OWNER_URL"])
        self.prepare("collectstatic", "--noinput", "-v0")
        self.say("migrated")
        for name, arguments in read_procfile(settings.BASE_DIR / "Procfile").items():
            self.supervisor.start(self.child(name, arguments, log=self.data_dir / f"log/{name}.log"))
        self.supervisor.wait_until(self.ready, seconds=READY_SECONDS, otherwise=lambda: f"not ready: {self.missing}")
        self.say(f"ready after {time.monotonic() - self.began:.1f} s: {self.url}")

    def claim(self, bind: str, services: Services) -> tuple[str, int]:
        """Host and port of "host:port", known to be free. Raises GaveUp."""
        host, _, port = bind.rpartition(":")
        if not host or not port.isdigit():
            raise GaveUp(f"{bind!r} is not HOST:PORT")
        if port == "0":
            return host, free_port()
        deadline = time.monotonic() + (PORT_GRACE_SECONDS if services.unclean else 0.0)
        while not port_is_free(host, int(port)):
            if time.monotonic() > deadline:
                raise GaveUp(f"{bind} is taken by another program; choose another with --bind or --sandbox-bind.")
            time.sleep(0.2)
        return host, int(port)

    def claim_live(self, host: str, port: int, services: Services) -> int:
        """The port of the live streams: the one after the site's, or any free one, because nobody types its address."""
        try:
            return self.claim(f"{host}:{port + 1}", services)[1]
        except GaveUp:
            live_port = free_port()
            self.say(f"port {port + 1} is taken by another program: live streams listen on {live_port}")
            return live_port

    def prepare(self, *arguments: str, **environment: str) -> None:
        log = self.data_dir / f"log/{arguments[0]}.log"
        log.unlink(missing_ok=True)
        code = self.supervisor.run(self.child(arguments[0], self.manage(*arguments), log=log, **environment))
        if code != 0:
            raise GaveUp(f"{arguments[0]} failed:\n{log.read_text(errors='replace')[-3000:]}")

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 our own server
                return bool(answer.status == 200)
        except urllib.error.HTTPError as exc:
            self.missing = exc.read().decode(errors="replace")
        except OSError as exc:
            self.missing = f"the web process does not answer ({exc}); see {self.data_dir}/log/web.log"
        return False

    # -- the demo ----------------------------------------------------------------------------------------------------------
    def play(self) -> bool:
        """Load the demo (again: changes nothing) and, the first time, play the business day, which ends by saying where to look."""
        played = self.data_dir / "day-played"
        if not self.tell("load_demo") or played.exists() or not self.tell("play_day"):
            return False
        played.touch()
        return True

    def tell(self, command: str) -> bool:
        """Run a command of the demo on this terminal. Its failure is told and stops nothing."""
        code = self.supervisor.run(self.child(command, self.manage(command), LOG_LEVEL="WARNING"))
        if code != 0:
            self.say(f"{command} did not finish (exit code {code}); everything else keeps running")
        return code == 0

    def show_where_to_look(self) -> None:
        rows = [("site", self.url), ("console", f"{self.url}/admin/"), ("API", f"{self.url}/api/docs/")]
        rows += [("sandbox", self.environment["SANDBOX_URL"])]
        demo = self.data_dir / "demo.json"
        if demo.exists():
            found = json.loads(demo.read_text())
            rows.insert(2, ("log in as", "{username} / {password}".format(**found["operators"][0])))
            key = found["merchants"][0]["api_key"]
            rows.append(("try", f"curl -s -H 'X-API-Key: {key}' '{self.url}/api/v1/transactions?limit=3'"))
        self.stdout.write("")
        for name, value in rows:
            self.stdout.write(f"  {name:<10} {value}")
        self.stdout.write("")

    # -- both --------------------------------------------------------------------------------------------------------------
    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]

    def child(self, name: str, arguments: list[str], *, log: Path | None = None, **environment: str) -> Child:
        return Child(name, arguments, log=log, environment=self.environment | environment, directory=settings.BASE_DIR)

    def say(self, line: str) -> None:
        self.stdout.write(f"[{time.monotonic() - self.began:5.1f} s] {line}")
        self.stdout.flush()
