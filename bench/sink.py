"""A webhook receiver for benchmarks: verifies each delivery, counts distinct events, says so when it is told to end."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.shop import WebhookListener


def main() -> None:
    demo = json.loads(Path(sys.argv[1]).read_text())
    secrets = {merchant["merchant_code"].lower(): merchant["webhook_secret"] for merchant in demo["merchants"]}
    listener = WebhookListener(secrets, port=8200)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    print(f"{len(listener.seen)} distinct events verified, {listener.refused} refused")


if __name__ == "__main__":
    main()
