"""Which texts hold a card number. The numbers are the card schemes' published test numbers."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cards import contains_card_number, mask_card_numbers
from common.ids import new_id, new_reference

MOMENTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4222222222222",
        "TXN4111111111111111",
        "order 12 4111 1111 1111 1111, thanks",
        "4111111111111111\u00a0",
        "４１１１１１１１１１１１１１１１",
        "5555555555554444",
        "2223000048400011",
        "378282246310005",
        "30569309025904",
        "3530111333300000",
        "6011111111111117",
        "6200000000000005",
        "6759649826438453",
        "a8a6f8fc-cd3e-4928-8444-50476c8d5746 4111111111111111",
        "4111111111111111 a8a6f8fc-cd3e-4928-8444-50476c8d5746",
        "41111111-1111-1111-4111-111111111111",  # a UUID of digits only may be a card number, written oddly
        "a8a6f8fc-cd3e-4928-8444-50476c8d57464",  # a digit too many: no UUID
        "g4111111111111111aaaaaaaaaaaaaaaa",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111  1111 1111   1111",
        "4111\u20131111\u20131111\u20131111",
        "4111\u20141111\u20141111\u20141111",
        "4111\u20111111\u20111111\u20111111",
        "4111 - 1111 - 1111 - 1111",
        "4111.1111.1111.1111.123",  # and its code
        "invoice 2026.4111.1111.1111.1111",
        "3782.822463.10005",
        "3782  822463  10005",
        "3056/930902/5904",
        "41111111-1111-1111-4111-111111111111-a",  # the letter is outside
        "4111111111111111D26122010000000000000F",  # a card's second track as hexadecimal digits
        "5555555555554444d261220112345678",
        "4111111111111111D2612201",
    ],
)
def test_card_number_is_found(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # wrong check digit
        "1111111111111117",  # right check digit, no scheme
        "411111111111",  # twelve digits
        "41111111111111111111",  # twenty digits: part of a longer number
        "4111.1111/1111.1111",  # two rates, bid and asked
        "4111,1111,1111,1111",
        "4111.1111.1111.1112",
        "41.1111.1111.1111.11",
        "14111.1111.1111.1111",
        "4111.1111.1111.11112",
        "2223.00/0048.40/0011",
        "+60 12-345 6789",
        "EPG20260302ABCDEF",
        "2026-03-02 12-30-00",
        "a8a6f8fc-cd3e-4928-8444-50476c8d5746",  # 4928-8444-50476 has the check digit of a Visa number
        "refund:A8A6F8FC-CD3E-4928-8444-50476C8D5746, again",
        "a4111111111111111aaaaaaaaaaaaaaa",  # 32 hexadecimal digits
        "692ad0bc4222222222222dca",  # 24: an ObjectId
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not contains_card_number(text)


@given(st.uuids())
def test_no_random_identifier_is_a_card_number(identifier: uuid.UUID) -> None:
    for written in (str(identifier), identifier.hex, identifier.hex[:24]):
        if not written.replace("-", "").isdigit():
            assert not contains_card_number(f"key {written} of ours")
            assert mask_card_numbers(written) == written


def test_identifier_stays_whole_where_card_number_is_masked() -> None:
    key = "a8a6f8fc-cd3e-4928-8444-50476c8d5746"
    assert mask_card_numbers(f"{key} paid by 4111 1111 1111 1111, {key}") == f"{key} paid by [card 1111], {key}"


@pytest.mark.parametrize(
    "written", ["4111.1111.1111.1111", "4111 \u2013 1111 \u2013 1111 \u2013 1111", "4111  1111  1111  1111"]
)
def test_a_card_number_with_odd_separators_is_masked(written: str) -> None:
    assert mask_card_numbers(f"a {written}, b {written}.") == "a [card 1111], b [card 1111]."


@given(
    MOMENTS,
    MOMENTS,
    st.sampled_from(
        [
            "%Y-%m-%dT%H:%M:%S.%fZ",
            "%Y-%m-%d %H:%M:%S.%f",
            "%d/%m/%Y %H:%M",
            "%d.%m.%Y  %H.%M.%S",
            "%Y%m%d%H%M%S",
            "%Y/%m/%d",
        ]
    ),
    st.sampled_from([" - ", " \u2013 ", "/", "  ", ", "]),
)
def test_no_time_or_span_of_times_is_a_card_number(first: datetime, last: datetime, form: str, between: str) -> None:
    assert not contains_card_number(f"{first:{form}}{between}{last:{form}}")


@given(
    st.lists(st.decimals(min_value=0, max_value=99_999, places=2), min_size=1, max_size=8),
    st.sampled_from([" / ", "/", "; ", "\u2013", "  "]),
)
def test_no_list_of_amounts_is_a_card_number(amounts: list[Decimal], between: str) -> None:
    assert not contains_card_number(between.join(map(str, amounts)))


@given(
    st.lists(st.decimals(min_value=1, max_value=9_999, places=4), min_size=1, max_size=6),
    st.sampled_from([" / ", "/", "; ", "\u2013", "  "]),
)
def test_no_list_of_rates_is_a_card_number(rates: list[Decimal], between: str) -> None:
    assert not contains_card_number(between.join(map(str, rates)))


def test_none_of_our_own_ids_and_references_is_a_card_number() -> None:
    for _ in range(5_000):
        at = datetime.fromtimestamp(random.randrange(2**32), UTC)
        for written in (new_id("txn"), new_reference("EPG", at), f"{new_id('req')}/{new_id('key')}"):
            assert not contains_card_number(written), written
