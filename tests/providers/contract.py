"""What every provider adapter must do, run against the sandbox as a real process over real HTTP.

Each operation gets the same four questions: it works, it is refused, nobody answers, it is asked twice. What the adapter says is
compared with the provider's own books, which it has never seen. A provider's test file subclasses ProviderContract and says what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest

from common.money import Money
from payments.providers.base import (
    BadSignature,
    Kind,
    NotSent,
    OperationRequest,
    Outcome,
    ProviderResult,
    Report,
)
from payments.providers.forms import parse
from payments.providers.registry import identify
from tests.providers.listener import Listener
from tests.providers.shop import Shop, open_shop
from tests.support.days import whole_today

PAID = Money(15000, "MYR")


class ProviderContract:
    code: ClassVar[str]
    mode: ClassVar[str] = "purchase"
    opening: ClassVar[Kind] = Kind.SALE
    opening_entry: ClassVar[tuple[str, str]] = ("charge", "completed")  # what the books call it
    follow_ups: ClassVar[dict[Kind, tuple[str, str]]] = {Kind.REFUND: ("refund", "completed")}

    @pytest.fixture
    def shop(self, sandbox_url: str, listener: Listener) -> Shop:
        return open_shop(self.code, sandbox_url, listener, mode=self.mode)

    @pytest.fixture
    def other(self, sandbox_url: str, listener: Listener) -> Shop:
        """Another account."""
        return open_shop(self.code, sandbox_url, listener, mode=self.mode)

    # -- the payer's order -----------------------------------------------------------------------------------------

    def test_a_paid_order_is_reported_returned_and_found(self, shop: Shop) -> None:
        request = shop.order(self.opening)

        shop.visit(request)
        called_back, returned = shop.read(shop.called_back()), shop.read(shop.returned())
        found = shop.provider.look_up(request)

        assert (called_back.reference, called_back.kind) == (request.reference, self.opening)
        assert returned.event_key == called_back.event_key
        for told in (called_back.result, returned.result, found):
            assert (told.outcome, told.amount, told.failure_code) == (Outcome.SUCCEEDED, PAID, "")
            assert told.provider_reference == called_back.result.provider_reference != ""
        kind, status = self.opening_entry
        assert shop.books(request) == [(kind, "150.00", status)]

    def test_an_order_that_the_payer_declines_takes_no_money(self, shop: Shop) -> None:
        request = shop.order(self.opening)

        shop.visit(request, "decline")
        told, found = shop.read(shop.called_back()).result, shop.provider.look_up(request)

        assert (told.outcome, told.amount) == (Outcome.DECLINED, None)
        assert (found.outcome, found.failure_code) == (Outcome.DECLINED, told.failure_code)
        assert {status for _, _, status in shop.books(request)} <= {"declined"}

    def test_an_order_that_the_payer_leaves_is_open(self, shop: Shop) -> None:
        request = shop.order(self.opening)

        shop.visit(request, "leave")

        assert shop.provider.look_up(request).outcome in (Outcome.PENDING, Outcome.NOT_FOUND)
        assert shop.books(request) == []

    def test_an_order_that_never_arrived_is_not_found(self, shop: Shop) -> None:
        assert shop.provider.look_up(shop.order(self.opening)).outcome is Outcome.NOT_FOUND

    def test_an_order_that_is_paid_twice_is_charged_once(self, shop: Shop) -> None:
        request, first = shop.paid(self.opening)

        shop.visit(request)
        found = shop.provider.look_up(request)

        assert found.provider_reference == first.result.provider_reference
        assert len(shop.books(request)) == 1

    @pytest.mark.parametrize(
        ("amount", "outcome", "failure_code", "said"),
        [
            ("1.00", Outcome.SUCCEEDED, "", "1.00"),
            ("2.00", Outcome.DECLINED, "DECLINED", None),
            ("3.00", Outcome.DECLINED, "INSUFFICIENT_FUNDS", None),
            ("8.00", Outcome.SUCCEEDED, "", "8.00"),
            ("9.00", Outcome.SUCCEEDED, "", "10.00"),  # not what was asked: told as it is, for the core to see
        ],
    )
    def test_a_test_amount(
        self, shop: Shop, amount: str, outcome: Outcome, failure_code: str, said: str | None
    ) -> None:
        request, report = shop.paid(self.opening, amount)
        found = shop.provider.look_up(request)

        moved = None if said is None else Money.parse(said, "MYR")
        for told in (report.result, found):
            assert (told.outcome, told.failure_code, told.amount) == (outcome, failure_code, moved)

    def test_a_payment_without_a_callback_is_found(self, shop: Shop) -> None:
        request = shop.order(self.opening, "4.00")

        shop.visit(request)
        found = shop.provider.look_up(request)

        assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, request.amount)
        assert shop.listener.direct.empty()
        assert len(shop.books(request)) == 1

    def test_the_same_callback_has_the_same_event_key(self, shop: Shop) -> None:
        request, first = shop.paid(self.opening, "6.00")

        reports = [first, shop.read(shop.called_back()), shop.read(shop.called_back())]

        assert {report.event_key for report in reports} == {first.event_key}
        assert {report.result.outcome for report in reports} == {Outcome.SUCCEEDED}
        assert len(shop.books(request)) == 1

    def test_a_contradicting_callback_is_another_event_and_the_look_up_knows(self, shop: Shop) -> None:
        request, first = shop.paid(self.opening, "7.00")

        second = shop.read(shop.called_back())

        assert [first.result.outcome, second.result.outcome] == [Outcome.SUCCEEDED, Outcome.DECLINED]
        assert first.event_key != second.event_key
        assert shop.provider.look_up(request).outcome is Outcome.SUCCEEDED

    # -- callbacks -------------------------------------------------------------------------------------------------

    def test_a_real_callback_is_for_its_account_only_and_unchanged(self, shop: Shop, other: Shop) -> None:
        request = shop.order(self.opening)
        shop.visit(request)
        message = shop.called_back()
        body = message.body

        assert identify(parse(body)) == (self.code, shop.provider.account.config["account_key"])
        with pytest.raises(BadSignature):
            other.read(message)
        for changed in (body.replace(b"150", b"151", 1), body.replace(b"15000", b"15001"), body + b"&" + body, b""):
            if changed != body:
                with pytest.raises(BadSignature):
                    shop.read(replace(message, body=changed))

    # -- what we send: each kind, the four questions ----------------------------------------------------------------

    def test_it_works(self, shop: Shop, kind: Kind) -> None:
        original, report = shop.paid(self.opening)
        request = shop.follow_up(kind, "150.00", original, report)

        told, found = shop.provider.send(request), shop.provider.look_up(request)

        for result in (told, found):
            assert (result.outcome, result.amount) == (Outcome.SUCCEEDED, PAID)
            assert result.provider_reference == told.provider_reference != ""
        entry, status = self.follow_ups[kind]
        assert shop.books(request) == [(entry, "150.00", status)]

    def test_it_is_refused(self, shop: Shop, kind: Kind) -> None:
        original, report = shop.paid(self.opening, "120.00")
        request = self._against_the_rules(shop, kind, original, report)

        told, found = shop.provider.send(request), shop.provider.look_up(request)

        assert (told.outcome, told.amount, told.failure_code != "") == (Outcome.DECLINED, None, True)
        assert found.outcome is Outcome.DECLINED
        assert {status for _, _, status in shop.books(request)} <= {"declined"}

    def test_nobody_answers(self, shop: Shop, kind: Kind) -> None:
        original, report = shop.paid(self.opening)
        request = shop.follow_up(kind, "4.00", original, report)

        told = shop.impatient().send(request)
        found = shop.provider.look_up(request)

        assert (told.outcome, told.reason) == (Outcome.UNKNOWN, "no_reply")
        assert found.outcome is Outcome.SUCCEEDED
        assert len(shop.books(request)) == 1

    def test_it_is_asked_sixteen_times_at_once(self, shop: Shop, kind: Kind) -> None:
        original, report = shop.paid(self.opening)
        request = shop.follow_up(kind, "150.00", original, report)

        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(shop.provider.send, [request] * 16))

        assert {result.outcome for result in told} == {Outcome.SUCCEEDED}
        assert len({result.provider_reference for result in told}) == 1
        assert len(shop.books(request)) == 1

    def test_a_server_error_before_it_acts_is_unknown_and_not_found(self, shop: Shop, kind: Kind) -> None:
        original, report = shop.paid(self.opening)
        request = shop.follow_up(kind, "5.00", original, report)

        told = shop.provider.send(request)
        found = shop.provider.look_up(request)

        assert (told.outcome, told.reason) == (Outcome.UNKNOWN, "http_500")
        assert found.outcome is Outcome.NOT_FOUND
        assert shop.books(request) == []

    # -- the provider is ill ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("fault", "value"),
        [("down", None), ("slow", 3), ("error_rate", 1), ("garbage", None)],
        ids=lambda value: str(value),
    )
    def test_an_ill_provider_is_never_believed(self, shop: Shop, fault: str, value: float | None) -> None:
        original, report = shop.paid(self.opening)
        kind = next(iter(self.follow_ups))
        request = shop.follow_up(kind, "150.00", original, report)
        impatient = shop.impatient()

        shop.fault(fault, value)
        try:
            answers = [_outcome(impatient.send, request), _outcome(impatient.look_up, original)]
        finally:
            shop.fault("none")

        assert answers in ([Outcome.UNKNOWN, Outcome.UNKNOWN], ["not sent", "not sent"])
        assert shop.provider.look_up(original).outcome is Outcome.SUCCEEDED
        assert shop.provider.send(request).outcome is Outcome.SUCCEEDED
        assert len(shop.books(request)) == 1

    # -- reference data --------------------------------------------------------------------------------------------

    def test_the_statement_of_the_day_lists_what_moved(self, shop: Shop) -> None:
        day = whole_today()
        original, report = shop.paid(self.opening)
        requests = [shop.follow_up(kind, "150.00", original, report) for kind in self.follow_ups]
        for request in requests:
            shop.provider.send(request)
        moved = [
            request.reference for request in [original, *requests] if request.kind not in (Kind.AUTHORIZE, Kind.VOID)
        ]

        head, _, *lines, trailer = shop.provider.statement(day).decode().splitlines()

        assert head.split(",")[::3] == ["H", day.isoformat()]
        assert [line.split(",")[3] for line in lines] == moved
        assert trailer.startswith(f"T,{len(moved)},")

    # -- what subclasses may say differently -------------------------------------------------------------------------

    def _against_the_rules(
        self, shop: Shop, kind: Kind, original: OperationRequest, report: Report
    ) -> OperationRequest:
        """More than there is."""
        return shop.follow_up(kind, "120.01", original, report)


def _outcome(ask: Callable[[OperationRequest], ProviderResult], request: OperationRequest) -> Outcome | str:
    try:
        return ask(request).outcome
    except NotSent:
        return "not sent"
