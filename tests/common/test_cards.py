"""Which texts hold a card number. The numbers are the card schemes' published test numbers."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cards import contains_card_number, mask_card_numbers


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
        "a8a6f8fc-cd3e-4928-8444-50476c8d5746",  # 4928-8444-50476 has the check digit of a Visa number
        "refund:A8A6F8FC-CD3E-4928-8444-50476C8D5746, again",
        "a4111111111111111aaaaaaaaaaaaaaa",  # 32 hexadecimal digits
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not contains_card_number(text)


@given(st.uuids())
def test_no_random_identifier_is_a_card_number(identifier: uuid.UUID) -> None:
    for written in (str(identifier), identifier.hex):
        if not written.replace("-", "").isdigit():
            assert not contains_card_number(f"key {written} of ours")
            assert mask_card_numbers(written) == written


def test_identifier_stays_whole_where_card_number_is_masked() -> None:
    key = "a8a6f8fc-cd3e-4928-8444-50476c8d5746"
    assert mask_card_numbers(f"{key} paid by 4111 1111 1111 1111, {key}") == f"{key} paid by [card 1111], {key}"
