"""What a local installation keeps beside its databases: generated secrets, and where the running supervisor's services listen.

Neither is ever in the repository; both are readable by their owner only.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def local_secrets(data_dir: Path) -> dict[str, str]:
    """The generated secrets of a local installation; made on first use, readable by their owner only."""
    path = data_dir / "secrets.json"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "SEALING_KEYS": f"local1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            "owner_password": secrets.token_urlsafe(24),
            "app_password": secrets.token_urlsafe(24),
            "valkey_password": secrets.token_urlsafe(24),
        }
        write_private(path, fresh)
    found: dict[str, str] = json.loads(path.read_text())
    return found


def running_urls(data_dir: Path) -> dict[str, str]:
    """DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL of the supervisor that runs on `data_dir`; empty when none does."""
    try:
        with (data_dir / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                urls: dict[str, str] = json.loads((data_dir / "state.json").read_text())
                return urls
    except FileNotFoundError:
        pass
    return {}


def write_private(path: Path, content: Mapping[str, str]) -> None:
    """Write JSON that only its owner may read; a reader sees all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    draft.replace(path)
