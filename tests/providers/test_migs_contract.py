"""MIGS against the sandbox, in both modes of an account."""

from __future__ import annotations

from common.money import Money
from payments.providers.base import Kind, OperationRequest, Outcome, Report
from tests.providers.contract import ProviderContract
from tests.providers.shop import Shop


class TestMigsPurchase(ProviderContract):
    code = "migs"


class TestMigsAuthorise(ProviderContract):
    code = "migs"
    mode = "authorise"
    opening = Kind.AUTHORIZE
    opening_entry = ("authorisation", "authorised")
    follow_ups = {Kind.CAPTURE: ("charge", "completed"), Kind.VOID: ("void", "voided")}

    def test_an_authorisation_is_captured_in_parts_and_refunded(self, shop: Shop) -> None:
        original, report = shop.paid(Kind.AUTHORIZE)
        captures = [shop.follow_up(Kind.CAPTURE, amount, original, report) for amount in ("100.00", "50.00", "0.01")]
        refunds = [shop.follow_up(Kind.REFUND, amount, original, report) for amount in ("149.99", "0.01", "0.01")]

        told = [shop.provider.send(request).outcome for request in captures + refunds]

        yes, no = Outcome.SUCCEEDED, Outcome.DECLINED
        assert told == [yes, yes, no, yes, yes, no]

    def test_the_rest_of_a_captured_authorisation_is_voided(self, shop: Shop) -> None:
        assert shop.provider.several_captures
        original, report = shop.paid(Kind.AUTHORIZE)
        parts = [(Kind.CAPTURE, "100.00"), (Kind.VOID, "50.00"), (Kind.CAPTURE, "50.00"), (Kind.REFUND, "100.00")]
        requests = [shop.follow_up(kind, amount, original, report) for kind, amount in parts]

        told = [shop.provider.send(request) for request in requests]

        yes, no = Outcome.SUCCEEDED, Outcome.DECLINED
        assert [result.outcome for result in told] == [yes, yes, no, yes]
        assert (told[1].amount, shop.books(requests[1])) == (Money(5_000, "MYR"), [("void", "50.00", "voided")])

    def _against_the_rules(
        self, shop: Shop, kind: Kind, original: OperationRequest, report: Report
    ) -> OperationRequest:
        if kind is Kind.VOID:  # too late: all of it has been captured
            shop.provider.send(shop.follow_up(Kind.CAPTURE, "120.00", original, report))
        return super()._against_the_rules(shop, kind, original, report)
