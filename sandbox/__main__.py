"""`python -m sandbox --bind 127.0.0.1:8100 --data-dir var/sandbox`: one process, many threads, ends with its parent's SIGTERM."""

from __future__ import annotations

import argparse
import os

from granian import Granian
from granian.constants import Interfaces


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="The providers' side of the wire.")
    parser.add_argument("--bind", default="127.0.0.1:8100", help="address:port to listen on")
    parser.add_argument("--data-dir", default="var/sandbox", help="where the books are kept")
    options = parser.parse_args()
    host, _, port = options.bind.rpartition(":")
    os.environ["SANDBOX_DATA_DIR"] = options.data_dir
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"
    Granian(
        "sandbox.wsgi:application",
        address=host,
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=48,  # a silent refund and a payer each hold one
        backlog=1024,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
