"""Which provider serves what, and whose message a callback is."""

from __future__ import annotations

import pytest

from payments.providers.base import Account, Kind, NotSupported, Provider
from payments.providers.registry import PROVIDERS, identify, method_providers, provider_class
from payments.providers.session import open_session
from tests.providers import given

FPX, MIGS = given.fpx_account(), given.migs_account()


def test_the_table_of_providers() -> None:
    assert {code: (set(cls.methods), set(cls.supports), cls.lists_banks) for code, cls in PROVIDERS.items()} == {
        "fpx": ({"fpx"}, {Kind.SALE, Kind.REFUND}, True),
        "migs": ({"migs"}, {Kind.SALE, Kind.AUTHORIZE, Kind.CAPTURE, Kind.VOID, Kind.REFUND}, False),
    }
    assert provider_class("fpx").currencies == {"MYR"}
    assert {"MYR", "USD", "SGD"} <= provider_class("migs").currencies
    assert (method_providers("fpx"), method_providers("migs"), method_providers("cash")) == (["fpx"], ["migs"], [])


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"fpx_msgType": "AC", "fpx_sellerId": "SE90000001"}, ("fpx", "SE90000001")),
        ({"fpx_msgType": "AC"}, ("fpx", "")),
        ({"vpc_MerchTxnRef": "R", "vpc_Merchant": "TESTMIGS01", "payment": "1"}, ("migs", "TESTMIGS01")),
        ({"fpx_msgType": "AC", "fpx_sellerId": "S", "vpc_MerchTxnRef": "R", "vpc_Merchant": "M"}, None),
        ({"STATUS": "SUCCESS"}, None),
        ({}, None),
    ],
)
def test_a_callback_is_recognised_by_its_dialect(fields: dict[str, str], found: tuple[str, str] | None) -> None:
    assert identify(fields) == found


@pytest.mark.parametrize(
    ("code", "account", "unsupported"),
    [
        ("fpx", FPX, set(Kind) - {Kind.REFUND}),
        ("migs", MIGS, {Kind.SALE, Kind.AUTHORIZE}),
    ],
)
def test_what_a_provider_does_not_send_is_refused_without_a_call(
    code: str, account: Account, unsupported: set[Kind]
) -> None:
    provider: Provider = provider_class(code)(account, open_session())

    for kind in unsupported:
        with pytest.raises(NotSupported):
            provider.send(given.request(kind))


@pytest.mark.parametrize(
    ("code", "account", "redirected"),
    [
        ("fpx", FPX, Kind.SALE),
        ("migs", MIGS, Kind.SALE),
        ("migs", given.migs_account(mode="authorise"), Kind.AUTHORIZE),
    ],
)
def test_the_payer_is_only_sent_for_what_the_account_does(code: str, account: Account, redirected: Kind) -> None:
    provider: Provider = provider_class(code)(account, open_session())

    sent = provider.redirect(given.request(redirected))

    assert (sent.method, sent.url.startswith("http://127.0.0.1:9/")) == ("POST", True)
    for kind in set(Kind) - {redirected}:
        with pytest.raises(NotSupported):
            provider.redirect(given.request(kind))
