"""docs/eps.md: its examples run as they are printed, and its figures are what they give."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.payments.eps.given import API_KEY, PASS_PHRASE, ask, merchant_with

GUIDE = (Path(__file__).parents[3] / "docs/eps.md").read_text()


def examples() -> dict[str, Any]:
    """The functions that the guide's Python defines."""
    names: dict[str, Any] = {}
    for source in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(source, names)
    return names


def shell(after: str) -> str:
    """The first shell example below a heading."""
    return re.search(r"```sh\n(.*?)```", GUIDE.split(after)[1], re.DOTALL)[1]  # type: ignore[index]


def test_printed_checksums_are_what_the_examples_give():
    v2 = examples()["epic_v2"]({"TRANS_ID": "TXN1", "CUST_NAME": "Siti & Co"}, "correct horse")
    v1 = examples()["epic_v1"]("TXN1fpx100.50KEDAI1", "key-1", "correct horse")
    assert f"`{v2}`" in GUIDE
    assert f"`{v1}`" in GUIDE


@pytest.mark.django_db(transaction=True)
def test_python_example_pays(live_server):
    merchant = merchant_with("epic-v2")
    answer = examples()["request_payment"](
        live_server.url, merchant.code, PASS_PHRASE, "TXN1", "100.50", CUST_NAME="Siti & Co"
    )
    assert (answer["STATUS_CODE"], answer["TRANS_ID"], answer["AMOUNT"]) == ("68", "TXN1", "100.50")


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("curl")), reason="needs openssl and curl")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["epic-v1", "epic-v2"])
def test_shell_example_is_understood(live_server, scheme):
    merchant = merchant_with(scheme)
    if scheme == "epic-v2":
        ask(merchant, TRANS_ID="TXN20260302001")
    variables = {"CODE": merchant.code, "PHRASE": PASS_PHRASE, "API_KEY": API_KEY, "BASE": live_server.url}

    printed = subprocess.run(
        ["bash", "-euc", shell(f"## CHECKSUM, {scheme}")],
        env=os.environ | variables | {"no_proxy": "*"},
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout

    assert json.loads(printed)["STATUS_CODE"] == "68"
