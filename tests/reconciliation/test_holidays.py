"""Bank holidays: what is read of a pasted list, and which days follow from it."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from common.console.html import page_url
from common.models import Proposal
from payments.models import Transaction
from reconciliation.models import BankCalendar, Remittance, Source
from reconciliation.parsers.holidays import BadHolidays, parse_holidays
from reconciliation.services.terms import NewTerms
from reconciliation.sources import remit_on
from reconciliation.whereabouts import Step, ways_of
from tests.console.conftest import SignIn
from tests.factories import ProviderAccountFactory, captured_transaction
from tests.factories.agreed import new_calendar, source_agreed, terms_agreed
from tests.reconciliation.given import DAY, imported, listed
from tests.reconciliation.test_rule_sets import sold
from tests.reconciliation.test_settle import priced, settled

URL = "/admin/reconciliation/bankcalendar/"
REASON = {"reason": "Gazetted", "_form_submitted": "True"}
NEXT = {"2026-03-03": "A holiday", "2026-03-04": "Another"}  # Tuesday and Wednesday after DAY


def test_a_list_is_read_in_the_order_of_its_days() -> None:
    text = (
        '\ufeffDate,Name\n2026-12-25,Christmas\n\n2026-02-17,"Chinese New Year, first day"\r\n2026-12-25, Christmas \n'
    )

    assert list(parse_holidays(text).items()) == [
        ("2026-02-17", "Chinese New Year, first day"),
        ("2026-12-25", "Christmas"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-02-30,No day", "Line 1: 2026-02-30 is not a date"),
        ("17/02/2026,Chinese New Year", "Line 1: 17/02/2026 is not a date"),
        ("2026-01-01,New Year\n20260101,New Year", "Line 2: 20260101 is not a date"),
        ("2026-01-01", "Line 1: write a date"),
        ("2026-01-01,New Year,MY", "Line 1: write a date"),
        (f"2026-01-01,{'x' * 81}", "Line 1: write a date"),
        ("2026-01-01,New Year\n2026-01-01,Another", "Line 2: 2026-01-01 is there already, as New Year"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(text: str, said: str) -> None:
    with pytest.raises(BadHolidays) as refused:
        parse_holidays(text)

    assert refused.value.problems[0].startswith(said)


@pytest.mark.django_db
def test_a_merchant_is_paid_on_a_business_day_of_its_calendar() -> None:
    account = priced()
    terms_agreed(account.merchant_id, NewTerms(pay_after_days=1, calendar_id=new_calendar("MY", NEXT).pk))
    transaction = captured_transaction(account)
    waits = next(
        link for link in ways_of([transaction.pk], today=DAY)[transaction.pk].links if link.step == Step.PAID_OUT
    )

    [made] = settled(account.merchant)

    assert made.pay_on == waits.expected_by == date(2026, 3, 5)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2026, 3, 2), date(2026, 3, 5)),
        (date(2026, 3, 4), date(2026, 3, 5)),
        (date(2026, 3, 6), date(2026, 3, 9)),  # Saturday's is Monday's
    ],
)
def test_a_source_with_a_calendar_is_paid_on_business_days(day: date, due: date) -> None:
    assert remit_on(Source.objects.get(pk="fpx"), day) == date.fromordinal(day.toordinal() + 1)

    source = source_agreed("fpx", calendar=new_calendar("MY", NEXT))

    assert remit_on(source, day) == due


@pytest.mark.django_db
def test_a_remittance_and_its_payment_wait_for_the_day_after_the_holidays() -> None:
    source_agreed("fpx", calendar=new_calendar("MY", NEXT))
    account = ProviderAccountFactory()

    imported(account, [listed(sold(account))])

    assert Remittance.objects.get().due_on == date(2026, 3, 5)
    transaction = Transaction.objects.get()
    waits = next(
        link for link in ways_of([transaction.pk], today=DAY)[transaction.pk].links if link.step == Step.AT_BANK
    )
    assert waits.expected_by == date(2026, 3, 5)


@pytest.mark.django_db
def test_a_list_is_pasted_and_uploaded_and_holds_when_two_have_agreed(sign_in: SignIn) -> None:
    clerk, lead = sign_in("finance"), sign_in("finance_lead")
    pasted = {"code": "MY", "name": "Malaysia", "holidays": "2026-02-17,Chinese New Year", "reason": "Gazetted"}

    first = clerk.post(f"{URL}propose-new/", pasted)

    assert not BankCalendar.objects.exists()
    assert first["Location"] == page_url(Proposal.objects.get())
    lead.post(f"/admin/common/proposal/{Proposal.objects.get().pk}/approve/", REASON)
    assert BankCalendar.objects.get().holidays == {"2026-02-17": "Chinese New Year"}
    page = clerk.get(f"{URL}MY/propose/")
    assert "2026-02-17,Chinese New Year" in page.content.decode()
    file = SimpleUploadedFile("my.csv", b"date,name\n2026-03-20,Hari Raya\n")
    moved = {"shown": page.context["form"]["shown"].value(), "name": "Malaysia", "holidays": "", "file": file}
    again = clerk.post(f"{URL}MY/propose/", moved | {"reason": "Moved"})
    proposal = Proposal.objects.get(state="OPEN")
    shown = lead.get(again["Location"]).content.decode()
    assert (
        '<td class="" data-label="Day">2026-02-17</td><td class="" data-label="Now">Chinese New Year</td><td class="" data-label="Then">–</td>'
        in shown
    )
    assert (
        '<td class="" data-label="Day">2026-03-20</td><td class="" data-label="Now">–</td><td class="" data-label="Then">Hari Raya</td>'
        in shown
    )
    lead.post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
    assert BankCalendar.objects.get().days == {date(2026, 3, 20)}
    assert "2026-03-20" in clerk.get(f"{URL}MY/change/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"holidays": "soon,Raya"}, "Line 1: soon is not a date"),
        ({"file": SimpleUploadedFile("x.csv", b"\xff\xfe")}, "not UTF-8"),
        ({"code": "my"}, "Capital letters"),
        ({"reason": ""}, "required"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_proposed(sign_in: SignIn, changes: dict[str, object], said: str) -> None:
    form = {"code": "MY", "name": "Malaysia", "holidays": "", "reason": "Gazetted"} | changes

    response = sign_in("finance").post(f"{URL}propose-new/", form)

    assert (response.status_code, Proposal.objects.count()) == (200, 0)
    assert said in response.content.decode()
