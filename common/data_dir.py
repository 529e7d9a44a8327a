"""What a local installation keeps beside its databases: generated secrets, and where the running supervisor's services listen.

Neither is ever in the repository; both are readable by their owner only.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path


def _key_ring() -> str:
    return f"local1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


_SECRETS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "SEALING_KEYS": _key_ring,
    "JWT_SIGNING_KEYS": _key_ring,
    "owner_password": lambda: secrets.token_urlsafe(24),
    "app_password": lambda: secrets.token_urlsafe(24),
    "valkey_password": lambda: secrets.token_urlsafe(24),
}


def local_secrets(data_dir: Path) -> dict[str, str]:
    """The generated secrets of a local installation; made on first use, readable by their owner only."""
    path = data_dir / "secrets.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if found.keys() >= _SECRETS.keys():
        return found
    data_dir.mkdir(parents=True, exist_ok=True)
    write_private(path, {name: found.get(name) or make() for name, make in _SECRETS.items()})
    written: dict[str, str] = json.loads(path.read_text())
    return written


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
