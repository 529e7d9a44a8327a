"""What is long is done whole, or a person is told how much of it they see; nothing is cut off in silence."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from openpyxl import Workbook

from common.console.html import cut_off
from common.models import Proposal
from reconciliation.admin import break_lists
from reconciliation.admin.fee_claims import ClaimForm
from reconciliation.admin.items import SHOWN, item_rows
from reconciliation.models import BankLine, Break, BreakComment, ReconciliationRun, Remittance
from reconciliation.services import break_files
from tests.factories import NOW, ProviderAccountFactory
from tests.reconciliation.given import DAY, Listed, imported
from tests.reconciliation.paying import bank_lines
from tests.reconciliation.test_break_console import QUEUE, browser, filled_in, said

pytestmark = pytest.mark.django_db
BULK = f"{QUEUE}bulk/"


def breaks(count: int, *, resolved: bool = False, **values: Any) -> list[Break]:
    """Breaks of a bank, each of a line of its own unless they are resolved."""
    run = ReconciliationRun.objects.create(
        id="run_1", provider="mybank", live=False, day=DAY, actor="system:test", started_at=NOW, ended_at=NOW
    )
    ended = {"resolved_at": NOW, "resolved_by_run": run, "resolution": "EXPLAINED"} if resolved else {}
    lines = bank_lines(*[("x", -100)] * (1 if resolved else count))
    common: dict[str, Any] = {
        "run": run, "provider": "mybank", "live": False, "day": DAY, "kind": "MISSING_IN_BOOKS", "cause": "Nobody has announced it.",
        "their_currency": "MYR", "their_minor": -100, "first_seen_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip
    rows = [Break(**common | {"bank_line": lines[number % len(lines)]} | ended | values) for number in range(count)]
    return Break.objects.bulk_create(rows)


def test_what_a_list_does_not_show_is_said() -> None:
    assert cut_off(20, 20) == ""
    assert cut_off(20, 1_350) == "The first 20 of 1,350."
    assert cut_off(20, 21, "the file has all") == "The first 20 of 21; the file has all."


def test_one_act_is_about_those_that_its_page_shows() -> None:
    found = breaks(203)
    client = browser()

    shown = client.get(BULK, {"found": ""})
    assert len(shown.context["rows"]) == 200
    assert "The first 200 of 203; act on these, then on the next." in shown.content.decode()
    all_of_them = {"pick": [each.pk for each in found]}
    for act in ("comment", "write_off"):
        refused = client.post(BULK, all_of_them | {"act": act, "text": "Known"})
        client.get(QUEUE)  # shows the message
        assert said(refused) == "Nothing was done: 203 are chosen, and one act is about at most 200."
    assert not BreakComment.objects.exists()
    assert not Proposal.objects.exists()

    done = client.post(BULK, {"pick": all_of_them["pick"][:200], "act": "comment", "text": "Known"})

    assert said(done) == "Noted: 200 of 200 breaks."
    assert BreakComment.objects.count() == 200


def test_those_that_are_resolved_by_now_are_said() -> None:
    open_, ended = breaks(2)
    Break.objects.filter(pk=ended.pk).update(
        resolved_at=NOW, resolved_by_run=ReconciliationRun.objects.get(), resolution="EXPLAINED"
    )
    client, chosen = browser(), {"pick": [open_.pk, ended.pk]}
    left_out = "1 of the chosen left out: resolved by now, or not there."

    assert left_out in client.get(BULK, chosen).content.decode()
    done = client.post(BULK, chosen | {"act": "comment", "text": "Known"})

    assert said(done) == f"Noted: 1 of 1 breaks. {left_out}"


def rows_of(client: Client, query: str) -> int:
    response = client.get(f"{QUEUE}export/?{query}")
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as book:  # type: ignore[attr-defined]
        return len(re.findall(rb"<row ", book.read("xl/worksheets/sheet1.xml"))) - 1


def test_the_export_has_all_of_them_or_says_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(5_100, resolved=True)
    client = browser()

    assert rows_of(client, "resolved=all") == 5_100
    monkeypatch.setattr(break_lists, "MAX_ROWS", 5_099)
    refused = client.get(f"{QUEUE}export/?resolved=all")

    assert refused.status_code == 302
    assert said(refused) == "These are 5,100 breaks, and a workbook has at most 5,099: filter the queue first."


def test_a_long_file_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    found = breaks(5_100, resolved=True)
    [last] = bank_lines(("y", -100))
    Break.objects.filter(pk=found[-1].pk).update(resolved_at=None, resolved_by_run=None, resolution="", bank_line=last)
    book = Workbook()
    sheet = book.active
    sheet.append(["Break", "Owner", "Due date", "Comment", "Resolution", "Reason"])
    for each in found:
        sheet.append([each.pk, None, None, "Known" if each.pk == found[-1].pk else None])
    client = browser()

    preview = client.post(f"{QUEUE}import/", {"file": filled_in(book)})

    assert (preview.context["changing"], preview.context["unchanged"]) == (1, 5_099)
    assert said(client.post(f"{QUEUE}import/", {"rows": preview.context["rows"]})).startswith("1 changes made")
    assert BreakComment.objects.get().break_item_id == found[-1].pk
    monkeypatch.setattr(break_files, "_MOST", 2)
    for row in range(2, 5):
        sheet.cell(row, 4, "Known")
    refused = client.post(f"{QUEUE}import/", {"file": filled_in(book)})
    assert "More than 2 rows of the file do something: split it." in refused.content.decode()
    assert BreakComment.objects.count() == 1


def test_the_nearest_is_found_among_any_number() -> None:
    statement = bank_lines(("x", -1))[0].statement
    remittance = Remittance.objects.create(
        id="rmt_1", statement=statement, provider="fpx", account_key="A", live=False, day=DAY, due_on=DAY,
        currency="MYR", line_count=1, gross_minor=7_000, fee_minor=0, net_minor=7_000,
    )  # fmt: skip
    [found] = breaks(
        1, bank_line=None, remittance=remittance, our_currency="MYR", our_minor=7_000, their_currency="", their_minor=None
    )  # fmt: skip
    given: dict[str, Any] = {
        "statement": statement,
        "provider": "mybank",
        "account_key": "1",
        "occurrence": 1,
        "currency": "MYR",
    }
    far = [
        BankLine(number=n, reference=f"far{n}", booked_on=DAY, value_on=DAY, amount_minor=90_000 + n, **given)
        for n in range(2_050)
    ]
    later = DAY + timedelta(days=2)
    near = BankLine(number=1, reference="near", booked_on=later, value_on=later, amount_minor=7_001, **given)
    BankLine.objects.bulk_create([*far, near])

    page = browser().get(f"{QUEUE}{found.pk}/match/")

    offered = [row.reference for row, *_ in page.context["offered"]]
    assert (len(offered), offered[0]) == (50, "near")
    assert "There are more, further away in amount" in page.content.decode()


def test_a_month_of_long_ago_can_still_be_claimed() -> None:
    account = ProviderAccountFactory()
    statement = imported(account, [Listed(account.account_key, f"F{n}", f"R{n}") for n in range(61)])
    run = ReconciliationRun.objects.create(
        id="run_1", provider="fpx", live=False, day=DAY, actor="system:test", started_at=NOW
    )
    months = [date(2020 + n // 12, n % 12 + 1, 1) for n in range(61)]
    Break.objects.bulk_create(
        Break(
            run=run, provider="fpx", live=False, day=day, kind="FEE_MISMATCH", line=line, our_currency="MYR", our_minor=50,
            their_currency="MYR", their_minor=80, cause="Above the contract.", first_seen_at=NOW, last_seen_at=NOW,
        )
        for day, line in zip(months, statement.lines.order_by("pk"), strict=True)
    )  # fmt: skip

    page = browser().get("/admin/reconciliation/feeclaim/").content.decode()

    assert "The first 60 of 61; Claim a month offers each that has something to claim." in page
    form = ClaimForm(request=RequestFactory().get("/"))
    assert len(form.open) == 61
    assert "fpx test MYR 2020-01" in form.open


def test_the_items_of_a_proposal_are_counted() -> None:
    lines = bank_lines(*[("x", -100)] * (SHOWN + 3))

    rows = item_rows(bank_lines=[line.pk for line in lines])

    assert len(rows) == SHOWN + 1
    assert rows[-1][:2] == ("Bank lines", "3 more")
    assert len(item_rows(bank_lines=[line.pk for line in lines[:SHOWN]])) == SHOWN
