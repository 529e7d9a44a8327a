"""Named places where a fault test lets the process die, as SIGKILL would: before or after a commit, a call, a publish.

`COUNTERFOIL_CRASHPOINT=operation.answered` in the environment of a process makes it exit there, at once and without clean-up. In
production the variable is refused (config/checks.py) and this costs one comparison.
"""

from __future__ import annotations

import os

_ARMED = os.environ.get("COUNTERFOIL_CRASHPOINT", "")


def crashpoint(name: str) -> None:
    if _ARMED and name == _ARMED:
        os._exit(137)
