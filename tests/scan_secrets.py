"""`python -m tests.scan_secrets`: no file of the repository holds a key, a token or a password. Exits 1 naming file and line.

A line that has to look like a secret (a published test vector) says `not a secret` and why.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SHAPES = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "cloud or forge token": re.compile(
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,})"
    ),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "webhook secret": re.compile(r"\bwhsec_[A-Za-z0-9+/=]{24,}"),
    "password in a URL": re.compile(r"\b[a-z][a-z0-9+]*://[^/\s:@\"'{}$<]*:(?!PASSWORD@)[^/\s@\"'{}$<]{6,}@"),
    "literal secret": re.compile(
        r"(?i)(?:secret|password|api_?key|token|pass_?phrase)[a-z_]*[\"']?\s*[:=]\s*[\"'](?=[^\"']*[0-9])[A-Za-z0-9+/_=-]{20,}[\"']"
    ),
}
EXCUSE = "not a secret"


def findings(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return  # a picture or an archive
    for number, line in enumerate(lines, 1):
        for name, shape in SHAPES.items():
            if shape.search(line) and EXCUSE not in line:
                yield f"{path}:{number}: {name}"


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    found = [line for name in listed.split("\0") if name and Path(name).is_file() for line in findings(Path(name))]
    sys.stdout.write("\n".join([*found, f"secret scan: {len(found)} findings\n"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
