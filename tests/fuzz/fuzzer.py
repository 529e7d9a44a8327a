"""Requests made up from the schema that is served, valid and invalid, with real credentials; every answer is held against the schema.

    python -m tests.fuzz.fuzzer http://127.0.0.1:8000 --key cfk_test_... --examples 300

prints the figures and what was found. The suite runs a short one (test_fuzz.py).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.engine import events, from_schema

# What a valid request may be answered with besides a success: the schema cannot say which objects there are and in which state.
_BUSINESS = ["2xx", "307", "401", "403", "404", "409", "422", "429"]
# Where what is valid depends on more than one field or on the world: decimals by currency, a name that resolves, a time that is past.
_DEPENDS = (
    "createTransaction",
    "captureTransaction",
    "createRefund",
    "listTransactions",
    "getAccountBalance",
    "createWebhookEndpoint",
    "updateWebhookEndpoint",
    "replayWebhookDeliveries",
    "listSettlements",
)

_STAND_INS: dict[str, str] = {}  # ids of keys that runs use -> the key that is rotated or revoked instead

schemathesis.openapi.format("ip-network", st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str))


@dataclass
class Figures:
    """What a run did and found."""

    cases: int = 0
    probes: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)  # answers that were neither 401 nor 403, by operation
    checks: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str, str], str] = field(
        default_factory=dict
    )  # operation, check, what -> how to repeat it
    errors: list[str] = field(default_factory=list)

    @property
    def by_class(self) -> dict[str, int]:
        classes: Counter[str] = Counter()
        for status, count in self.statuses.items():
            classes[f"{status // 100}xx"] += count
        return dict(sorted(classes.items()))


def fuzz(
    base_url: str,
    *,
    api_key: str = "",
    token: str = "",
    examples: int,
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful"),
    seed: int = 1,
    seconds: float | None = None,
) -> Figures:
    """`examples` requests at most of each operation and way of making them up, as an API key or with an access token."""
    scheme: dict[str, Any] = {"Bearer": {"bearer": token}} if token else {"ApiKey": {"api_key": api_key}}
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "cache": {"enabled": False},
            "continue-on-failure": True,
            "request-timeout": 60.0,
            "workers": 1,
            "auth": {"openapi": scheme},
            "generation": {
                "max-examples": examples,
                "deterministic": False,
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
            "checks": {"positive_data_acceptance": {"expected-statuses": _BUSINESS}},
            "operations": [
                {
                    "include-operation-id": name,
                    "checks": {"positive_data_acceptance": {"expected-statuses": ["400", *_BUSINESS]}},
                }
                for name in _DEPENDS
            ],
        }
    )
    schema = schemathesis.openapi.from_url(f"{base_url}/api/schema/?format=json", config=config)
    if api_key:
        _keep_alive(base_url, api_key)
    return _run(schema, seconds)


def _keep_alive(base_url: str, api_key: str) -> None:
    """The key that the run itself uses is neither rotated nor revoked by it: another stands in for it."""
    headers = {"X-API-Key": api_key}
    keys = requests.get(f"{base_url}/api/v1/api-keys?limit=100", headers=headers, timeout=60).json()["data"]
    own = {key["id"] for key in keys if api_key.startswith(key["prefix"])}
    body = {"name": "stands in", "scopes": ["account:read"]}
    spare = requests.post(f"{base_url}/api/v1/api-keys", json=body, headers=headers, timeout=60).json()["id"]
    _STAND_INS.update(dict.fromkeys(own, spare))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    named = (case.path_parameters or {}).get("key_id")
    if named in _STAND_INS:
        case.path_parameters["key_id"] = _STAND_INS[named]


def _run(schema: Any, seconds: float | None) -> Figures:
    figures, began = Figures(), time.monotonic()
    stream = from_schema(schema).execute()
    for event in stream:
        if isinstance(event, events.ScenarioFinished):
            _count(figures, event.recorder)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            figures.errors.append(str(getattr(event, "info", None) or getattr(event, "exception", event)))
        if seconds is not None and time.monotonic() - began > seconds:
            stream.stop()
    figures.seconds = time.monotonic() - began
    return figures


def _count(figures: Figures, recorder: Any) -> None:
    for case_id, interaction in recorder.interactions.items():
        node = recorder.cases.get(case_id)
        figures.cases += 1
        if node is not None and node.parent_id is not None:
            figures.probes += 1  # the same again without credentials, or with wrong ones: a check's own question
            continue
        if interaction.response is None:
            figures.errors.append(f"no answer to {interaction.request.method} {interaction.request.uri}")
            continue
        status = interaction.response.status_code
        figures.statuses[status] += 1
        if node is not None and status not in (401, 403):
            figures.operations[node.value.operation.label] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            figures.checks[check.name] += 1
            if check.failure_info is not None:
                failure, case = check.failure_info.failure, recorder.cases[case_id].value
                if check.name == "negative_data_rejection" and _is_tidied(case.body):
                    continue
                label = case.operation.label
                key = (label, check.name, failure.title)
                figures.findings.setdefault(key, f"{failure.message}\n{check.failure_info.code_sample}")


def _is_tidied(value: Any) -> bool:
    """Whether a body has text that is shorter once it was read: what is invisible is taken out before anything is measured."""
    if isinstance(value, str):
        kept = [char for char in unicodedata.normalize("NFC", value) if unicodedata.category(char) not in ("Cc", "Cf")]
        return "".join(kept).strip() != value
    if isinstance(value, Mapping):
        return any(_is_tidied(item) for item in value.values())
    return isinstance(value, list) and any(_is_tidied(item) for item in value)


def report(figures: Figures) -> str:
    lines = [
        f"{figures.cases} requests in {figures.seconds:.0f} s to {len(figures.operations)} operations, {figures.probes} without credentials",
        f"answers: {figures.by_class}",
        f"in full: {dict(sorted(figures.statuses.items()))}",
        f"checks: {dict(sorted(figures.checks.items()))}",
        f"findings: {len(figures.findings)}, errors: {len(figures.errors)}",
    ]
    for (operation, check, title), sample in sorted(figures.findings.items()):
        lines += ["", f"== {operation} | {check} | {title}", sample]
    return "\n".join([*lines, "", *figures.errors[:20]])


def main(arguments: Mapping[str, Any]) -> int:
    figures = fuzz(
        arguments["base_url"],
        api_key=arguments["key"],
        token=arguments["token"],
        examples=arguments["examples"],
        seed=arguments["seed"],
        seconds=arguments["seconds"],
    )
    sys.stdout.write(report(figures) + "\n")
    return 1 if figures.findings or figures.errors else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("base_url")
    parser.add_argument("--key", default=os.environ.get("KEY", ""))
    parser.add_argument("--token", default="")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=None)
    sys.exit(main(vars(parser.parse_args())))
