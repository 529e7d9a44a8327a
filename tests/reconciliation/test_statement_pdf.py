"""The statement's fonts: names stay readable where the system has none that can write them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciliation.documents import pdf
from reconciliation.documents.content import Content
from tests.factories import captured_transaction
from tests.reconciliation.test_settle import priced, settled


@pytest.fixture
def bundled_fonts_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pdf, "_DEJAVU", ())
    pdf._fonts.cache_clear()
    yield
    pdf._fonts.cache_clear()


@pytest.mark.usefixtures("bundled_fonts_only")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nguyễn Thị Hồng", "Nguyen Thi Hong"),
        ("Đặng Łukasz", "Dang Łukasz"),
        ("Müller & Söhne", "Müller & Söhne"),
        ("山田", "??"),
    ],
)
def test_what_the_font_lacks_is_written_without_its_marks(name: str, expected: str) -> None:
    assert pdf.shown(name) == expected


@pytest.mark.django_db
def test_the_same_settlement_makes_the_same_bytes_and_hostile_text_is_text() -> None:
    account = priced()
    account.merchant.name = "<b>Kedai</b> & <para> </x>"
    account.merchant.save()
    captured_transaction(account, external_reference="<i>&lt;")
    [made] = settled(account.merchant)

    first, second = (pdf.render_pdf(Content.of(made)) for _ in range(2))

    assert first.startswith(b"%PDF-")
    assert first == second
