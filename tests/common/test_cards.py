"""Which texts hold a card number. The numbers are the card schemes' published test numbers."""

from __future__ import annotations

import pytest

from common.cards import contains_card_number


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
        "4111.1111.1111.1111",
        "+60 12-345 6789",
        "EPG20260302ABCDEF",
        "2026-03-02 12-30-00",
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not contains_card_number(text)
