"""Play a short business day through the real HTTP doors: payments, payers, webhooks, refunds, statements, reconciliation, settlement."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast

import requests
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress, track

from demo.day import Scene, refund_amount, scenes
from demo.load import WEBHOOK_PORT, demo_file
from demo.office import leave_work
from demo.payouts import SOURCE, pay_out
from demo.shop import Shop, WebhookListener

_AT_ONCE = 6
_SETTLE_SECONDS = 90
_OPEN = {"PENDING", "PROCESSING"}


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # the console shows the day, not this process's log
        self.console = Console(file=cast(IO[str], self.stdout))
        demo = json.loads(demo_file().read_text())
        urls = {"base_url": demo["base_url"], "sandbox_url": demo["sandbox_url"]}
        self.shops = [Shop(merchant, **urls) for merchant in demo["merchants"]]
        self.day = timezone.localdate()
        self.run = f"{timezone.now():%H%M%S}"
        listener = self._listen(demo)
        payments = self._pay(scenes(len(self.shops)))
        self._wait("Payments settle", payments)
        refunds = self._refund()
        self._wait("Refunds settle", payments, refunds)
        if listener is not None:
            self._webhooks(listener)
        self._reconcile()
        if paid := pay_out():
            self.console.print(paid)
            self._compare(SOURCE)  # the bank's statement shows what has left
        self._close(demo)

    def _listen(self, demo: dict[str, Any]) -> WebhookListener | None:
        secrets = {merchant["merchant_code"].lower(): merchant["webhook_secret"] for merchant in demo["merchants"]}
        try:
            return WebhookListener(secrets, port=WEBHOOK_PORT)
        except OSError:
            self.console.print(f"Port {WEBHOOK_PORT} is taken: this day goes without a webhook listener.")
            return None

    def _pay(self, day: Iterable[Scene]) -> set[str]:
        """Play every scene. Returns the references of those whose payer finished."""
        numbered = list(enumerate(day))
        finished: set[str] = set()

        def play(item: tuple[int, Scene]) -> None:
            number, scene = item
            reference = f"D{self.run}-{number:04d}"
            shop = self.shops[scene.merchant]
            action = self._order(shop, scene, reference)
            if action is None:
                raise CommandError(f"{reference}: no way to pay was offered")
            shop.send_payer(action, scene.decision)
            if scene.decision != "leave" and scene.amount not in ("5.00", "9.00") and not scene.manual_capture:
                finished.add(reference)

        self._together("Payers pay", play, numbered)
        return finished

    def _order(self, shop: Shop, scene: Scene, reference: str) -> dict[str, Any] | None:
        if scene.door == "eps":
            answer = shop.pay_by_eps(reference=reference, amount=scene.amount, mode=scene.method)
            url = answer.get("REDIRECT_URL")
            return {"type": "redirect", "method": "GET", "url": url, "fields": {}} if url else None
        if scene.door == "page":
            return shop.choose_on_page(reference=reference, amount=scene.amount, method=scene.method)
        more = {"capture": "manual"} if scene.manual_capture else {}
        transaction = shop.pay_by_api(reference=reference, amount=scene.amount, method=scene.method, **more)
        action: dict[str, Any] | None = transaction.get("nextAction")
        return action

    def _together(self, what: str, act: Callable[[Any], None], items: list[Any]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in track(pool.map(act, items), description=what, total=len(items), console=self.console):
                pass

    def _all(self) -> list[dict[str, Any]]:
        """This day's transactions of all merchants."""
        prefix = f"D{self.run}-"
        return [
            transaction
            for shop in self.shops
            for transaction in shop.transactions()
            if (transaction["externalReference"] or "").startswith(prefix)
        ]

    def _wait(self, what: str, finished: set[str], refunds: Sequence[tuple[Shop, str]] = ()) -> None:
        """Until every payment whose payer finished has ended and every refund too, or the time is up."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        with Progress(console=self.console) as progress:
            bar = progress.add_task(what, total=None)
            while True:
                today = self._all()
                waiting = sum(t["externalReference"] in finished and t["status"] in _OPEN for t in today)
                waiting += sum(shop.refund_status(refund_id) == "PENDING" for shop, refund_id in refunds)
                progress.update(bar, description=f"{what}: {waiting} open")
                if not waiting or time.monotonic() > deadline:
                    break
                time.sleep(2)
        statuses = Counter(transaction["status"] for transaction in today)
        self.console.print("  " + ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())))

    def _refund(self) -> list[tuple[Shop, str]]:
        """Give some money back. Returns the refunds that end soon, with their shop."""
        asked: list[tuple[Shop, str]] = []
        count = 0
        for shop in self.shops:
            paid = [
                t
                for t in shop.transactions(status="COMPLETED")
                if (t["externalReference"] or "").startswith(f"D{self.run}")
            ]
            for number, transaction in enumerate(paid):
                amount = refund_amount(f"{transaction['amountCaptured']:.2f}", number)
                if amount is not None:
                    count += 1
                    refund = shop.refund(transaction["id"], amount=amount, reason="Goods returned")
                    if amount != "5.00":  # its outcome is known a quarter of an hour later: unknown is not failed
                        asked.append((shop, refund["id"]))
        self.console.print(f"Refunds asked for: {count}")
        return asked

    def _webhooks(self, listener: WebhookListener) -> None:
        deadline = time.monotonic() + 20
        before = -1
        while time.monotonic() < deadline and sum(listener.counts.values()) != before:
            before = sum(listener.counts.values())
            time.sleep(2)
        listener.close()
        told = ", ".join(f"{count} {name}" for name, count in sorted(listener.counts.items()))
        self.console.print(f"Webhooks received and verified: {told or 'none'}; refused: {listener.refused}")

    def _reconcile(self) -> None:
        for provider in ("fpx", "migs"):
            self._compare(provider)
        if done := leave_work(self.day):
            self.console.print(done)
        call_command("settle", date=self.day, stdout=self.stdout)

    def _compare(self, source: str) -> None:
        try:
            call_command("reconcile", provider=source, date=self.day, stdout=self.stdout)
        except CommandError as found:
            self.console.print(f"  {found}")

    def _close(self, demo: dict[str, Any]) -> None:
        base_url, operator = demo["base_url"], demo["operators"][0]
        ready = requests.get(f"{base_url}/readyz", timeout=10).json()["status"]
        key = demo["merchants"][0]["api_key"]
        self.stdout.write(
            f"\nThe day is over; the system is {ready}. Look around:\n\n"
            f"  site       {base_url}/\n"
            f"  console    {base_url}/admin/   as {operator['username']} / {operator['password']}\n"
            f"  API        {base_url}/api/docs/\n"
            f"  sandbox    {demo['sandbox_url']}/   its books: /_books/fpx, /_books/migs\n"
            f"  try        curl -s -H 'X-API-Key: {key}' '{base_url}/api/v1/transactions?limit=3'\n"
        )
