"""FPX against the sandbox."""

from __future__ import annotations

import pytest

from payments.providers.base import BankStatus, Kind, Outcome
from tests.providers.contract import ProviderContract
from tests.providers.listener import Listener
from tests.providers.shop import Shop, open_shop


class TestFpx(ProviderContract):
    code = "fpx"

    def test_the_payers_bank_decides(self, shop: Shop) -> None:
        approved, declined = (shop.order(Kind.SALE, bank_code=code) for code in ("TEST0001", "TEST0002"))

        shop.visit(approved)
        assert shop.read(shop.called_back()).result.outcome is Outcome.SUCCEEDED
        shop.visit(declined)
        assert shop.read(shop.called_back()).result.outcome is Outcome.DECLINED

    def test_a_bank_that_never_answers_leaves_the_order_pending(self, shop: Shop) -> None:
        request = shop.order(Kind.SALE, bank_code="TEST0003")

        shop.visit(request)

        assert shop.provider.look_up(request).outcome is Outcome.PENDING
        assert shop.books(request) == []

    def test_business_banking_is_another_message_for_the_same_order(self, shop: Shop) -> None:
        request, report = shop.paid(Kind.SALE, business_banking=True)

        assert report.result.outcome is Outcome.SUCCEEDED
        assert report.result.raw["fpx_msgToken"] == "02"
        assert shop.provider.look_up(request).outcome is Outcome.SUCCEEDED

    def test_an_account_may_sign_with_sha256(self, sandbox_url: str, listener: Listener) -> None:
        shop = open_shop("fpx", sandbox_url, listener, signature_hash="sha256")

        request, report = shop.paid(Kind.SALE)

        assert report.result.outcome is Outcome.SUCCEEDED
        assert shop.provider.look_up(request).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize("business", [False, True])
    def test_the_bank_list(self, shop: Shop, business: bool) -> None:
        banks = shop.provider.banks(business=business)

        assert BankStatus("TEST0001", "Test bank: always pays", online=True) in banks
        assert len({bank.code for bank in banks}) == len(banks) >= 3
