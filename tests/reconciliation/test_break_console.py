"""The console of breaks, days and proposals: who may, with a reason, one effect; a GET changes nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook

from common.models import AuditRecord, Proposal
from merchants.models import ProviderAccount
from payments.models.ledger import AccountKind
from reconciliation.models import (
    Break,
    BreakComment,
    BreakFilter,
    DayClose,
    MatchGroup,
    ReconciliationRun,
    Remittance,
    Source,
)
from reconciliation.services.balance_sheet import EARNED, HAVE, OWE, SPENT
from reconciliation.services.board import board
from reconciliation.tasks import compare, fetch
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.factories.agreed import new_bank_account
from tests.reconciliation.given import DAY, Listed, imported, listed, reconciled
from tests.reconciliation.people import person

pytestmark = pytest.mark.django_db

REASON = {"reason": "Known", "_form_submitted": "True"}
QUEUE = "/admin/reconciliation/break/"
DAY_PAGE = f"/admin/reconciliation/dayclose/fpx/test/{DAY}/"


@pytest.fixture
def account() -> ProviderAccount:
    """With a line too many (70.00) and a payment that is not listed (100.00)."""
    account = ProviderAccountFactory(created_at=NOW - timedelta(days=30))
    sale = sale_of(captured_transaction(account))
    captured_transaction(account)
    imported(
        account, [listed(sale, provider_reference="F1"), Listed(account.account_key, "F404", "EPG404", minor=7_000)]
    )
    reconciled(account)
    return account


@pytest.fixture
def orphan(account: ProviderAccount) -> Break:
    return Break.objects.get(kind="MISSING_IN_BOOKS")


@pytest.fixture
def missing(account: ProviderAccount) -> Break:
    return Break.objects.get(kind="MISSING_AT_PROVIDER")


def browser(role: str = "finance", name: str = "") -> Client:
    client = Client()
    client.force_login(person(name or role, role))
    return client


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def page_of(found: Break) -> str:
    return f"{QUEUE}{found.pk}/change/"


def act(found: Break, name: str) -> str:
    return f"{QUEUE}{found.pk}/{name}/"


def test_a_break_is_taken_noted_carried_and_proposed(orphan: Break) -> None:
    client = browser()

    client.post(act(orphan, "take"))
    for _ in range(2):  # a double click
        client.post(act(orphan, "comment"), {"comment": "Asked them", "_form_submitted": "True"})
    client.post(act(orphan, "due"), {"due_on": "2026-04-01", **REASON})
    response = client.post(act(orphan, "write-off"), REASON)

    assert "It waits for a second person: Write off: not in our books" in said(response)
    orphan.refresh_from_db()
    assert (orphan.owner.get_username(), str(orphan.due_on)) == ("finance", "2026-04-01")  # type: ignore[union-attr]
    assert BreakComment.objects.get().text == "Asked them"
    proposal = Proposal.objects.get()
    assert (proposal.kind, proposal.reason, proposal.proposed_by.get_username()) == (
        "break.write_off",
        "Known",
        "finance",
    )
    actions = AuditRecord.objects.filter(subject_id=str(orphan.pk)).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["break.assigned", "break.commented", "break.due_set"]
    page = client.get(page_of(orphan)).content.decode()
    assert "Waits for a second person" in page
    assert "Asked them" in page


def test_a_second_person_approves_once_and_a_stale_tab_is_told(orphan: Break) -> None:
    maker, lead = browser(), browser("finance_lead")
    maker.post(act(orphan, "write-off"), REASON)
    proposal = Proposal.objects.get()
    approve = f"/admin/common/proposal/{proposal.pk}/approve/"

    own = maker.post(approve, REASON)
    assert "Somebody else has to approve" in said(own)
    assert not MatchGroup.objects.exists()
    page = lead.get(f"/admin/common/proposal/{proposal.pk}/change/").content.decode()
    assert "provider_receivable:" in page
    assert "1 row is as proposed" in page
    assert lead.get("/admin/").content.decode().count("Second person") >= 1

    first, second = lead.post(approve, REASON), lead.post(approve, REASON)

    assert "Approved and done" in said(first)
    assert "is decided" in said(second)
    assert MatchGroup.objects.count() == 1


def test_reading_changes_nothing_and_a_reason_is_required(orphan: Break) -> None:
    client = browser()
    before = list(Break.objects.order_by("pk").values())
    acts = ("assign", "comment", "due", "ask", "adjust", "write-off", "dispute", "match-both", "match")

    for name in acts:
        assert client.get(act(orphan, name), REASON | {"counter": "differences", "pick": "x"}).status_code == 200, name
    assert client.get(act(orphan, "take")).status_code == 403
    assert client.get(f"{QUEUE}bulk/", {"pick": orphan.pk, "act": "comment", "text": "x"}).status_code == 200
    assert client.get(f"{QUEUE}filters/save/", {"name": "x", "query": "a=1"}).status_code == 403
    for name in acts[3:]:
        assert client.post(act(orphan, name), {"_form_submitted": "True"}).status_code == 200, name
    assert client.get(DAY_PAGE, {"act": "close"}).status_code == 200

    assert list(Break.objects.order_by("pk").values()) == before
    for model in (Proposal, BreakComment, BreakFilter, DayClose):
        assert not model.objects.exists()


@pytest.mark.parametrize("role", ["operations", "support", "auditor"])
def test_other_roles_may_not(orphan: Break, role: str) -> None:
    client = browser(role)

    for name in ("take", "assign", "comment", "due", "adjust", "write-off", "dispute", "match-both", "match"):
        assert client.post(act(orphan, name), REASON).status_code == 403, name
    assert client.post(f"{QUEUE}bulk/", {"pick": orphan.pk, "act": "comment", "text": "x"}).status_code == 403
    assert client.post(f"{QUEUE}import/").status_code == 403
    assert client.post(DAY_PAGE, {"act": "close"}).status_code == 403

    assert not Proposal.objects.exists()
    assert not BreakComment.objects.exists()


def test_matching_by_hand_offers_what_is_free_and_proposes_the_chosen(orphan: Break, missing: Break) -> None:
    client = browser()
    assert missing.operation is not None

    offered = client.get(act(orphan, "match")).content.decode()
    assert missing.operation.reference in offered
    assert "30.00 more, another reference." in offered
    client.post(
        act(orphan, "match"), {"pick": missing.operation_id, "counter": "provider_fees", "reason": "One of two"}
    )

    proposal = Proposal.objects.get()
    assert proposal.parameters["operations"] == [missing.operation_id]
    assert proposal.parameters["differences"] == {"MYR": -3_000}
    assert sorted(proposal.parameters["breaks"]) == sorted([orphan.pk, missing.pk])


def test_one_act_on_many(orphan: Break, missing: Break) -> None:
    client = browser()
    chosen = {"pick": [orphan.pk, missing.pk]}
    lead = person("boss", "finance_lead")

    client.post(f"{QUEUE}bulk/", chosen | {"act": "assign", "owner": lead.pk})
    client.post(f"{QUEUE}bulk/", chosen | {"act": "comment", "text": "Both known"})
    unsaid = client.post(f"{QUEUE}bulk/", chosen | {"act": ""})
    assert unsaid.status_code == 200  # no act is done unless it is named
    assert Break.objects.filter(owner=lead).count() == 2
    nothing = client.post(f"{QUEUE}bulk/", chosen | {"act": "write_off"})
    done = client.post(f"{QUEUE}bulk/", chosen | {"act": "write_off", "text": "Small"})
    again = client.post(f"{QUEUE}bulk/", chosen | {"act": "write_off", "text": "Small"})

    assert "Say why." in nothing.content.decode()
    assert said(done) == "Proposed, for a second person: 2 of 2 breaks."
    assert "0 of 2 breaks." in said(again)
    assert "Not proposed for 2 breaks, such as" in said(again)
    assert set(Break.objects.values_list("owner__username", flat=True)) == {"boss"}
    assert BreakComment.objects.count() == 2
    assert set(Proposal.objects.values_list("kind", "reason")) == {("break.write_off", "Small")}


@pytest.mark.django_db(transaction=True)
def test_many_that_cannot_be_proposed_now_are_said_to_be_busy(orphan: Break, missing: Break) -> None:
    client, chosen = browser(), {"pick": [orphan.pk, missing.pk]}
    with psycopg.connect(**connection.get_connection_params()) as other, connection.cursor() as cursor:
        other.execute("LOCK TABLE proposal IN SHARE MODE")
        cursor.execute("SET lock_timeout = '20ms'")
        try:
            many = client.post(f"{QUEUE}bulk/", chosen | {"act": "write_off", "text": "Small"})
            one = client.post(act(orphan, "write-off"), REASON)
        finally:
            cursor.execute("RESET lock_timeout")

    assert f"Not proposed for 2 breaks, such as {orphan.pk}: Something else is at work on it" in said(many)
    assert "Not proposed: Something else is at work on it" in said(one)
    assert not Proposal.objects.exists()
    client.post(f"{QUEUE}bulk/", chosen | {"act": "write_off", "text": "Small"})
    assert Proposal.objects.count() == 2


@contextmanager
def a_run_at_work(found: Break) -> Iterator[None]:
    """What a run holds until it ends, held by another connection: its lock, and the rows of the breaks that it has seen again. We wait 20 ms."""
    with psycopg.connect(**connection.get_connection_params()) as run, connection.cursor() as cursor:
        name = f"reconcile:{found.provider}:{found.live}"
        run.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        run.execute("UPDATE reconciliation_break SET last_seen_at = now() WHERE id = %s", [found.pk])
        cursor.execute("SET lock_timeout = '20ms'")
        try:
            yield
        finally:
            cursor.execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "given", "done"),
    [
        ("take", {}, "break.assigned"),
        ("assign", {"owner": "boss"}, "break.assigned"),
        ("comment", {"comment": "Asked them"}, "break.commented"),
        ("due", {"due_on": "2026-04-01", "reason": "Known"}, "break.due_set"),
    ],
)
def test_one_act_while_a_run_is_at_work_is_said_to_be_busy(
    orphan: Break, name: str, given: dict[str, str], done: str
) -> None:
    client = browser()
    posted = {key: person("boss", "finance_lead").pk if key == "owner" else value for key, value in given.items()}
    before = Break.objects.values().get(pk=orphan.pk)

    with a_run_at_work(orphan):
        busy = client.post(act(orphan, name), posted | {"_form_submitted": "True"})

    assert busy.status_code == 302
    assert said(busy) == "Something else is at work on it, such as a run. Nothing was done: try again."
    acts = AuditRecord.objects.filter(subject_id=str(orphan.pk))
    assert (BreakComment.objects.count(), acts.count()) == (0, 0)
    assert Break.objects.values().get(pk=orphan.pk) | {"last_seen_at": None} == before | {"last_seen_at": None}
    client.post(act(orphan, name), posted | {"_form_submitted": "True"})
    assert acts.get().action == done


@pytest.mark.django_db(transaction=True)
def test_a_yes_while_a_run_is_at_work_is_said_to_be_busy(orphan: Break) -> None:
    browser().post(act(orphan, "write-off"), REASON)
    lead, proposal = browser("finance_lead"), Proposal.objects.get()
    approve = f"/admin/common/proposal/{proposal.pk}/approve/"

    with a_run_at_work(orphan):
        busy = lead.post(approve, REASON)

    assert "Something else is at work on it, such as a run. Nothing was done: try again." in said(busy)
    proposal.refresh_from_db()
    orphan.refresh_from_db()
    assert (proposal.state, proposal.decided_by, orphan.resolved_at) == ("OPEN", None, None)
    assert not MatchGroup.objects.exists()
    lead.post(approve, REASON)
    assert Proposal.objects.get().state == "EXECUTED"


def test_the_queue_has_filters_of_ones_own(orphan: Break, missing: Break) -> None:
    client, other = browser(), browser("finance_lead")
    client.post(act(orphan, "take"))
    Break.objects.filter(pk=missing.pk).update(due_on=timezone.localdate() - timedelta(days=1))

    def shown(query: str) -> set[int]:
        rows = client.get(f"{QUEUE}?{query}").context["cl"].result_list
        return {row.pk for row in rows}

    assert shown("queue=mine") == {orphan.pk}
    assert shown("queue=unassigned") == {missing.pk}
    assert shown("queue=overdue") == {missing.pk}
    assert shown("age=0") == set()
    client.post(f"{QUEUE}filters/save/", {"name": "My fpx", "query": "queue=mine&provider=fpx"})
    saved = BreakFilter.objects.get()
    assert "My fpx" in client.get(QUEUE).content.decode()
    assert "My fpx" not in other.get(QUEUE).content.decode()
    other.post(f"{QUEUE}filters/{saved.pk}/remove/")
    assert BreakFilter.objects.exists()
    client.post(f"{QUEUE}filters/{saved.pk}/remove/")
    assert not BreakFilter.objects.exists()


def exported(client: Client, query: str = "") -> Any:
    response = client.get(f"{QUEUE}export/?{query}")
    return load_workbook(io.BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined]


def filled_in(book: Any) -> SimpleUploadedFile:
    file = io.BytesIO()
    book.save(file)
    return SimpleUploadedFile("breaks.xlsx", file.getvalue())


def test_the_exported_file_is_typed_and_safe(orphan: Break) -> None:
    Break.objects.update(cause="=1+2")
    sheet = exported(browser(), "kind__exact=MISSING_IN_BOOKS").active

    heads = [cell.value for cell in sheet[1]]
    row = dict(zip(heads, sheet[2], strict=True))
    assert sheet.max_row == 2
    assert (row["Break"].value, row["Theirs"].value, row["Their currency"].value) == (orphan.pk, 70, "MYR")
    assert row["Theirs"].number_format == "#,##0.00"
    assert (row["Cause"].value, row["Cause"].data_type) == ("=1+2", "s")
    assert row["Day"].value.date() == DAY


def test_the_filled_in_file_is_shown_then_applied_once(orphan: Break, missing: Break) -> None:
    client = browser()
    book = exported(client)
    sheet = book.active
    heads = [cell.value for cell in sheet[1]]
    rows = {sheet.cell(number, 1).value: number for number in (2, 3)}

    def fill(found: Break, **given: str) -> None:
        for head, value in given.items():
            sheet.cell(rows[found.pk], heads.index(head.replace("_", " ")) + 1, value)

    fill(orphan, Owner="finance", Due_date="2026-04-01", Comment="Seen", Resolution="write off", Reason="Small")
    fill(missing, Owner="nobody-here")
    sheet.append([999_999])

    def bring(file: SimpleUploadedFile) -> Any:
        return client.post(f"{QUEUE}import/", {"file": file})

    preview = bring(filled_in(book))
    assert not Proposal.objects.exists()
    assert not BreakComment.objects.exists()
    text = preview.content.decode()
    assert "Propose: write off" in text
    assert "nobody-here does not work on breaks." in text
    assert "There is no such break." in text
    done = client.post(f"{QUEUE}import/", {"rows": preview.context["rows"]})

    assert "4 changes made or proposed, 2 rows refused." in said(done)
    assert Proposal.objects.get().state == "OPEN"
    orphan.refresh_from_db()
    assert (orphan.owner.get_username(), str(orphan.due_on), orphan.resolved_at) == ("finance", "2026-04-01", None)  # type: ignore[union-attr]

    again = bring(filled_in(book))
    assert [row.number for row in again.context["plan"] if not row.problem] == []
    assert again.context["unchanged"] == 1
    client.post(f"{QUEUE}import/", {"rows": again.context["rows"]})
    assert (Proposal.objects.count(), BreakComment.objects.count()) == (1, 1)


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04broken"])
def test_a_file_that_is_no_workbook_is_refused(account: ProviderAccount, content: bytes) -> None:
    response = browser().post(f"{QUEUE}import/", {"file": SimpleUploadedFile("breaks.xlsx", content)})

    assert response.status_code == 200
    assert "plan" not in response.context


def test_somebody_else_s_preview_is_not_applied(orphan: Break) -> None:
    client = browser()
    preview = client.post(f"{QUEUE}import/", {"file": filled_in(exported(client))})

    other = browser("finance_lead").post(f"{QUEUE}import/", {"rows": preview.context["rows"]})

    assert "upload the file again" in said(other)


def test_the_day_is_signed_closed_and_opened_again_in_the_console(account: ProviderAccount) -> None:
    maker, lead = browser(), browser("finance_lead")
    board = "/admin/reconciliation/dayclose/board/"

    refused = maker.post(DAY_PAGE, {"act": "close"})
    assert "2 breaks are open, unexplained: MYR -30.00" in said(refused)
    for kind, closed in (("sign", "CLOSED"), ("reopen", "REOPENED")):
        maker.post(DAY_PAGE, {"act": kind, "reason": "Known"})
        proposal = Proposal.objects.get(state="OPEN")
        assert lead.get(f"/admin/common/proposal/{proposal.pk}/change/").status_code == 200
        lead.post(f"/admin/common/proposal/{proposal.pk}/approve/", REASON)
        assert DayClose.objects.order_by("-number")[0].state == closed
        assert maker.get(DAY_PAGE).status_code == 200
        assert maker.get(board).status_code == 200
    maker.post(DAY_PAGE, {"act": "close"})

    assert list(DayClose.objects.order_by("number").values_list("state", "is_clean")) == [
        ("CLOSED", False),
        ("REOPENED", False),
        ("CLOSED", True),
    ]


def test_what_the_filters_find_is_acted_on_and_adjusted_against_an_account(orphan: Break, missing: Break) -> None:
    client = browser()

    shown = client.get(f"{QUEUE}bulk/", {"found": "kind__exact=MISSING_IN_BOOKS"})
    assert [row.pk for row, _ in shown.context["rows"]] == [orphan.pk]
    both = client.get(f"{QUEUE}bulk/", {"found": "", "pick": [orphan.pk]})
    assert [row.pk for row, _ in both.context["rows"]] == sorted([orphan.pk, missing.pk])
    for odd in ("live__exact=maybe", "p=x", "day_from=yesterday", "owner__password=x"):
        assert client.get(f"{QUEUE}bulk/", {"found": odd}).status_code in (200, 302, 400), odd
        assert client.get(f"{QUEUE}export/?{odd}").status_code in (200, 302, 400), odd
    done = client.post(
        f"{QUEUE}bulk/", {"pick": [orphan.pk], "act": "adjust", "counter": "bank_charges", "text": "Theirs"}
    )

    assert "1 of 1 breaks." in said(done)
    proposal = Proposal.objects.get(kind="break.adjust")
    assert {leg["kind"]: leg["minor"] for leg in proposal.parameters["legs"]} == {
        "provider_receivable": 7_000,
        "bank_charges": -7_000,
    }


def test_a_day_is_compared_again_when_somebody_asks_and_that_is_recorded(account: ProviderAccount) -> None:
    client = browser()

    response = client.post(DAY_PAGE, {"act": "compare"})
    compare(provider="fpx", live="False", day=str(DAY), actor="operator:finance", later="ignored")

    assert "It is being compared" in said(response)
    [record] = AuditRecord.objects.filter(action="day.compare_asked")
    assert (record.actor, record.subject_id) == ("operator:finance", f"fpx:test:{DAY}")
    assert ReconciliationRun.objects.latest("started_at").actor == "operator:finance"
    tomorrow = timezone.now().date() + timedelta(days=2)
    assert "has not begun" in said(client.post(DAY_PAGE.replace(str(DAY), str(tomorrow)), {"act": "compare"}))
    assert browser("auditor").post(DAY_PAGE, {"act": "compare"}).status_code == 403
    assert AuditRecord.objects.filter(action="day.compare_asked").count() == 1


def test_a_missing_statement_is_fetched_when_somebody_asks_and_the_page_says_what_became_of_it(
    account: ProviderAccount,
) -> None:
    later = DAY + timedelta(days=3)
    page = DAY_PAGE.replace(str(DAY), str(later))
    client = browser()
    assert "Fetch now" in client.get(page).content.decode()

    asked = client.post(page, {"act": "fetch"})
    fetch(provider="fpx", live="False", day=str(later), actor="operator:finance")  # nobody listens there

    assert "It is being fetched and compared" in said(asked)
    text = client.get(page).content.decode()
    assert "The statement could not be fetched" in text
    actions = AuditRecord.objects.filter(subject_id=f"fpx:test:{later}").order_by("id").values_list("action", "actor")
    assert list(actions) == [("day.fetch_asked", "operator:finance"), ("day.fetched", "operator:finance")]
    assert ReconciliationRun.objects.filter(day=later).count() == 1
    assert browser("auditor").post(page, {"act": "fetch"}).status_code == 403


def test_the_board_and_the_money_take_few_queries(account: ProviderAccount, django_assert_max_num_queries: Any) -> None:
    client = browser()
    client.get("/admin/reconciliation/dayclose/board/")

    with django_assert_max_num_queries(30):
        page = client.get("/admin/reconciliation/dayclose/board/")
    money = client.get("/admin/reconciliation/dayclose/money/").content.decode()

    assert page.status_code == 200
    assert "adds up" in money
    assert "off by" not in money


def test_the_board_tells_late_from_due_and_from_nothing_expected(account: ProviderAccount) -> None:
    bank = Source.objects.create(code="mybank", name="My bank", side="BANK", format="camt053")
    new_bank_account(bank, "MY01")
    due = Remittance.objects.get().due_on  # of the statement of DAY

    def cell(day: date, now: datetime) -> Any:
        return board(days=[due, DAY, DAY - timedelta(days=1)], now=now)["mybank", False][
            [due, DAY, DAY - timedelta(days=1)].index(day)
        ]

    after = datetime.combine(
        due + timedelta(days=1), time(3), UTC
    )  # the bank's day is over, 06:00 of Kuala Lumpur has passed
    night = datetime.combine(due, time(17), UTC)
    assert (cell(DAY, after).expected, cell(DAY, after).tone) == (0, "neutral")
    assert (cell(due, night).waits, cell(due, night).late, cell(due, night).tone) == (True, False, "neutral")
    assert (cell(due, after).waits, cell(due, after).late, cell(due, after).tone) == (True, True, "danger")


def test_every_kind_of_account_has_its_place_where_the_money_is() -> None:
    assert sorted([*HAVE, *OWE, *EARNED, *SPENT]) == sorted(AccountKind)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "0999-12-31"])
def test_a_day_without_a_day_before_or_after_is_not_found(orphan: Break, day: str) -> None:
    client, page = browser(), DAY_PAGE.replace(str(DAY), day)

    for mode in ("/test/", "/live/"):
        assert client.get(page.replace("/test/", mode)).status_code == 404
        assert client.post(page.replace("/test/", mode), {"act": "close"}).status_code == 404
