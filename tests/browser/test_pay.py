"""A payer's real browser, under our real Content-Security-Policy: to the bank, back to us, back to the merchant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from merchants.selectors import forget_accounts
from payments.models import Transaction
from tests.factories import ProviderAccountFactory, sale_of
from tests.payments.callbacks.messages import fpx_ac
from tests.payments.eps.given import ask, checksum_of, merchant_with

pytestmark = pytest.mark.django_db(transaction=True)


class Elsewhere(ThreadingHTTPServer):
    """The bank's and the merchant's site: keeps the forms that are posted to it, answers with `pages[path]`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.posted: dict[str, dict[str, str]] = {}
        self.pages: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted[self.path] = dict(parse_qsl(body, keep_blank_values=True))
        page = self.server.pages.get(self.path, "<h1>Thank you</h1>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scripts", [True, False])
def test_payer_goes_to_the_bank_and_back_to_the_merchant(browser, live_server, settings, elsewhere, scripts):
    settings.PUBLIC_BASE_URL = live_server.url
    merchant = merchant_with("epic-v2", "migs")
    account = ProviderAccountFactory(merchant=merchant, base_url=elsewhere.url, priority=1)
    forget_accounts()
    link = ask(merchant, TRANS_ID="T1", RESPONSE_URL=f"{elsewhere.url}/kembali").json()["REDIRECT_URL"]
    operation = sale_of(Transaction.objects.get())
    bank = "/FPXMain/seller2DReceiver.jsp"
    fields = "".join(f"<input name='{n}' value='{v}'>" for n, v in fpx_ac(account, operation).items())
    elsewhere.pages[bank] = (
        f"<form method=post action='{live_server.url}/pay/return/fpx'>{fields}<button>Approve</button></form>"
    )
    payer = browser.new_context(java_script_enabled=scripts).new_page()

    payer.goto(link, wait_until="commit")
    if not scripts:
        payer.get_by_role("button", name="Continue to your bank").click()
    payer.get_by_role("button", name="Approve").click()
    if not scripts:
        payer.get_by_role("button", name="Return to").click()
    payer.get_by_role("heading", name="Thank you").wait_for()

    answer = elsewhere.posted["/kembali"]
    assert elsewhere.posted[bank]["fpx_sellerExOrderNo"] == operation.reference
    assert (answer["STATUS"], answer["TRANS_ID"], answer["AMOUNT"]) == ("SUCCESS", "T1", "100.50")
    assert answer["CHECKSUM"] == checksum_of(merchant, "response", answer)
    assert Transaction.objects.get().status == "COMPLETED"
