"""A merchant of a running Counterfoil who uses the SDKs, and Node to run their JavaScript in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone

from demo.onboarding import open_fpx, open_migs
from merchants.models import Merchant
from merchants.selectors import forget_accounts
from payments.services.recovery import sweep
from tests.factories import ApiKeyFactory, MerchantFactory, api_key_secret

SDK = Path(__file__).resolve().parents[2] / "sdk"
SNIPPETS = dict(
    re.findall(r"## (.*?)\n\n```\w+\n(.*?)```", Path(__file__).with_name("snippets.md").read_text(), re.DOTALL)
)
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no Node on this machine")
needs_node_modules = pytest.mark.skipif(
    not (SDK / "javascript/node_modules/typescript").is_dir(), reason="no `npm ci` was run in sdk/javascript"
)


@dataclass(frozen=True)
class Shop:
    merchant: Merchant
    api_key: str
    base_url: str
    sandbox_url: str

    def send_payer(self, next_action: dict[str, Any], decision: str = "approve") -> None:
        """Do what the payer's browser would, at the provider sandbox and back."""
        body = {"nextAction": next_action, "decision": decision}
        requests.post(f"{self.sandbox_url}/_payer", json=body, timeout=60).raise_for_status()

    @staticmethod
    def let_worker_run() -> None:
        """What a worker would do with everything that is due now."""
        sweep(clock=timezone.now)


def open_shop(base_url: str, sandbox_url: str) -> Shop:
    """A merchant with accounts at the sandbox's FPX and card gateway."""
    merchant = MerchantFactory()
    open_fpx(merchant, sandbox_url=sandbox_url, base_url=base_url)
    open_migs(merchant, sandbox_url=sandbox_url, base_url=base_url, mode="purchase")
    forget_accounts()
    return Shop(merchant, api_key_secret(ApiKeyFactory(merchant=merchant)), base_url, sandbox_url)


def run_node(folder: Path, source: str, *, suffix: str = ".cjs", **environment: str) -> str:
    """Run JavaScript that can require '@payment-engine/sdk' as a merchant's can; what it printed. Fails with what it complained of."""
    modules = folder / "node_modules/@payment-engine"
    modules.mkdir(parents=True, exist_ok=True)
    if not (modules / "sdk").exists():
        (modules / "sdk").symlink_to(SDK / "javascript")
    script = folder / f"script{suffix}"
    script.write_text(source)
    done = subprocess.run(
        [str(NODE), "--preserve-symlinks", str(script)],
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout
