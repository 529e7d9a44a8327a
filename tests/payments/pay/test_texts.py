"""The payer's pages say the same in every language, and nothing in none."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import RequestFactory

from common.money import Money
from payments.pay import formats
from payments.pay.languages import language_of
from payments.pay.texts import LANGUAGES, MONTHS, TEXTS
from payments.providers.base import FailureCode
from payments.states import TransactionStatus

ENGLISH = TEXTS["en"]
BRANDS = {"method_vnpay", "method_vnpay_qr", "method_fpt_pay", "method_khqr"}
SAME_WORD = {("ms", "bank")}  # that is what it is called
SCRIPTS = {"km": "[\u1780-\u17ff]", "vi": "[\u00c0-\u1ef9]"}
PLACES = re.compile(r"{\w*}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_there_with_its_values(language):
    texts = TEXTS[language]
    assert texts.keys() == ENGLISH.keys()
    assert [key for key in texts if PLACES.findall(texts[key]) != PLACES.findall(ENGLISH[key])] == []
    assert [key for key, text in texts.items() if not text.strip()] == []
    assert len(set(MONTHS[language])) == 12


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_sentence_is_translated(language):
    texts = TEXTS[language]
    same = {key for key in texts if texts[key] == ENGLISH[key]}
    assert same == BRANDS | {key for code, key in SAME_WORD if code == language}
    if script := SCRIPTS.get(language):
        without = {key for key in texts if not re.search(script, texts[key])}
        assert without - BRANDS == ({"print"} if language == "vi" else set())  # "In" has no accent


def test_every_sentence_is_used_and_none_is_missing():
    """As the templates and the code name them; those that follow from a state or code are listed from there."""
    sources = [
        *Path(settings.BASE_DIR, "templates/pay").glob("*.html"),
        *Path(settings.BASE_DIR, "payments/pay").glob("*.py"),
    ]
    written = " ".join(source.read_text() for source in sources)
    named = set(re.findall(r"{% say ['\"](\w+)['\"]", written))
    derived = {f"why_{code.lower()}" for code in FailureCode} | {f"method_{m}" for m in ("fpx", "migs")} | BRANDS
    derived |= {status.lower() for status in TransactionStatus} | {
        f"{status.lower()}_text" for status in TransactionStatus
    }

    assert named <= ENGLISH.keys()
    assert {f"why_{code.lower()}" for code in FailureCode} <= ENGLISH.keys()
    assert {key for key in ENGLISH.keys() - named - derived if f'"{key}"' not in written} == set()


@pytest.mark.parametrize(
    ("headers", "query", "cookie", "language"),
    [
        ("", "", "", "en"),
        ("km-KH,km;q=0.9,en;q=0.8", "", "", "km"),
        ("de-DE,de;q=0.9,VI-vn;q=0.5,en;q=0.4", "", "", "vi"),
        ("en;q=0.3,ms;q=0.9", "", "", "ms"),
        ("de,fr", "", "", "en"),
        ("km", "vi", "ms", "vi"),
        ("km", "", "ms", "ms"),
        ("km", "xx", "<b>", "km"),
        ("\x00;q=a,,,;=;q", "en\x00", "", "en"),
        ("x" * 9000, "", "", "en"),
    ],
)
def test_language_is_the_payers(headers, query, cookie, language):
    request = RequestFactory().get("/pay/x", {"lang": query} if query else {}, headers={"Accept-Language": headers})
    request.COOKIES["pay_language"] = cookie
    assert language_of(request) == language


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(123_450, "MYR"), {"en": "1,234.50", "ms": "1,234.50", "vi": "1.234,50", "km": "1.234,50"}),
        (Money(1_500_000, "VND"), {"en": "1,500,000", "vi": "1.500.000", "km": "1.500.000"}),
        (Money(5, "KWD"), {"en": "0.005", "vi": "0,005"}),
        (Money(999_999_999_999_999, "MYR"), {"en": "9,999,999,999,999.99"}),
    ],
)
def test_amounts_are_exact_and_grouped_as_the_language_does(money, shown):
    assert {language: formats.amount(money, language) for language in shown} == shown


@pytest.mark.parametrize(
    ("language", "zone", "shown"),
    [
        ("en", "Asia/Kuala_Lumpur", "1 January 2027, 00:30 (GMT+8)"),
        ("ms", "Asia/Kuala_Lumpur", "1 Januari 2027, 00:30 (GMT+8)"),
        ("vi", "Asia/Ho_Chi_Minh", "31 tháng 12, 2026, 23:30 (GMT+7)"),
        ("km", "Asia/Phnom_Penh", "31 ធ្នូ 2026, 23:30 (GMT+7)"),
        ("en", "Asia/Kathmandu", "31 December 2026, 22:15 (GMT+5:45)"),
        ("en", "America/New_York", "31 December 2026, 11:30 (GMT-5)"),
        ("en", "UTC", "31 December 2026, 16:30 (GMT)"),
    ],
)
def test_times_are_the_merchants(language, zone, shown):
    assert formats.moment(datetime(2026, 12, 31, 16, 30, tzinfo=UTC), language, zone) == shown
