"""`python -m sandbox --bind 127.0.0.1:8100 --data-dir var/sandbox`: one worker, many threads, log lines to stdout."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

# Payers (payer.py) and answers that never come (silence.py) hold a thread for long; each has its own bound, well below this
# figure, so that there is always a thread for the requests that they cause.
_THREADS = 192

_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {"django.request": {"level": "ERROR"}},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="The providers' side of the wire.")
    parser.add_argument("--bind", default="127.0.0.1:8100", type=_address, help="address:port to listen on")
    parser.add_argument("--data-dir", default="var/sandbox", help="where the books are kept")
    options = parser.parse_args()
    host, port = options.bind
    os.environ["SANDBOX_DATA_DIR"] = options.data_dir
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"
    _refuse_taken_port(host, port)
    sys.stdout.write(f"sandbox: http://{host}:{port}, books in {options.data_dir}\n")
    sys.stdout.flush()
    Granian(
        "sandbox.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_THREADS,
        backlog=1024,
        backpressure=1024,
        workers_kill_timeout=2,  # a caller who is being left without an answer does not delay the end
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    ).serve()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError("has to be address:port")
    return host, int(port)


def _refuse_taken_port(host: str, port: int) -> None:
    """The server shares its port (SO_REUSEPORT), and two sandboxes on one port would each keep half of the books."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise SystemExit(f"sandbox: cannot listen on {host}:{port}: {exc.strerror}") from exc


if __name__ == "__main__":
    main()
