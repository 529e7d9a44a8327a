"""Bringing a statement by hand, putting lines right, taking the file away, and describing a table's columns."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from common.models import AuditRecord, Proposal
from reconciliation.models import QuarantinedLine, Source, SourceMapping, Statement, StatementLine
from reconciliation.services.imports import statement_import
from tests.console.conftest import SignIn
from tests.factories import ProviderAccountFactory
from tests.factories.agreed import new_bank_account
from tests.reconciliation.bank_files import IBAN, camt, entry
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file

pytestmark = pytest.mark.django_db
UPLOAD = "/admin/reconciliation/statement/upload/"
GOOD = [Listed("SE1", "F1", "EPG1"), Listed("SE1", "F2", "EPG2", minor=2_550)]
FILE = fpx_file(GOOD, account="SE1")
SPOILT = FILE.replace(b",25.50,", b",25.5O,")


def sent(content: bytes = FILE, **changes: object) -> dict[str, object]:
    file = SimpleUploadedFile("=day one.csv", content)
    return {"source": "fpx", "account": "", "mode": "test", "day": DAY.isoformat(), "file": file} | changes


def test_an_upload_is_imported_and_its_page_says_what_became_of_it(sign_in: SignIn) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    client = sign_in("finance")

    page = client.post(UPLOAD, sent(SPOILT, account=account.pk), follow=True)

    statement = Statement.objects.get()
    assert page.redirect_chain[-1][0] == f"/admin/reconciliation/statement/{statement.pk}/change/"
    text = page.content.decode()
    assert "1 line could not be read" in text
    assert "&#x27;25.5O&#x27; is not an amount like 1234.50" in text
    assert (statement.new_line_count, statement.quarantined_count) == (1, 1)
    assert AuditRecord.objects.get(action="statement.imported").actor == "operator:demo_finance"

    again = client.post(UPLOAD, sent(SPOILT, account=account.pk), follow=True).content.decode()
    assert "had been imported before" in again
    refused = client.post(UPLOAD, sent(b"nonsense", account=account.pk), follow=True).content.decode()
    assert "Refused, nothing was applied." in refused
    assert "line 1: no header H,FPX" in refused
    assert StatementLine.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"day": ""}, "Of which day is it?"),
        ({"mode": "live"}, "of the other mode"),
        ({"source": "migs"}, "not an account at MIGS"),
        ({"source": "nobody"}, "valid choice"),
        ({"file": ""}, "required"),
    ],
)
def test_an_upload_that_does_not_fit_imports_nothing(sign_in: SignIn, changes: dict[str, str], said: str) -> None:
    account = ProviderAccountFactory(account_key="SE1")

    page = sign_in("finance").post(UPLOAD, sent(account=account.pk, **changes))

    assert (page.status_code, said in page.content.decode()) == (200, True)
    assert Statement.objects.count() == 0


def test_who_may_not_upload_or_put_right_changes_nothing(sign_in: SignIn) -> None:
    ProviderAccountFactory(account_key="SE1")
    statement_import(
        content=SPOILT.replace(b"FPX,SE1", b"FPX,ALL"), provider="fpx", account=None, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    )  # fmt: skip
    [line] = QuarantinedLine.objects.all()
    client = sign_in("auditor")

    assert client.post(UPLOAD, sent()).status_code == 403
    assert client.post(f"/admin/reconciliation/quarantinedline/{line.pk}/fix/", {}).status_code == 403
    assert (
        client.post(
            f"/admin/reconciliation/quarantinedline/{line.pk}/discard/", {"reason": "x", "_form_submitted": "True"}
        ).status_code
        == 403
    )
    line.refresh_from_db()
    assert (line.state, Statement.objects.count(), Proposal.objects.count()) == ("OPEN", 1, 0)


def test_a_line_is_put_right_in_place_or_proposed_to_be_discarded(sign_in: SignIn) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    client = sign_in("finance")
    client.post(UPLOAD, sent(SPOILT, account=account.pk))
    [line] = QuarantinedLine.objects.all()
    url = f"/admin/reconciliation/quarantinedline/{line.pk}/fix/"
    cells = {f"cell{number}": cell for number, cell in enumerate(line.cells)}

    shown = client.get(url).content.decode()
    assert re.search(r'value="25\.5O"', shown)
    assert QuarantinedLine.objects.get().state == "OPEN"
    unread = client.post(url, cells).content.decode()
    assert "It still cannot be read" in unread
    client.post(
        f"/admin/reconciliation/quarantinedline/{line.pk}/discard/", {"reason": "Asked", "_form_submitted": "True"}
    )
    assert Proposal.objects.get().kind == "quarantine.discard"

    page = client.post(url, cells | {"cell7": "25.50"}, follow=True).content.decode()

    assert "Line 4 is read." in page
    assert Statement.objects.get().controls == "AGREED"
    assert client.post(url, cells | {"cell7": "25.50"}).content.decode().count("decided already") == 1


def test_a_page_that_waits_is_discarded_by_one_person_who_may(sign_in: SignIn) -> None:
    source = Source.objects.create(code="mybank", name="My bank", side="BANK", format="camt053")
    new_bank_account(source, IBAN, currency="EUR")
    paged = camt(entry("5.00")).replace(
        b"<Stmt>", b"<Stmt><StmtPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>"
    )
    known = statement_import(
        content=paged, provider="mybank", account=None, live=False, day=None, actor=ACTOR, now=NEXT_MORNING
    ).statement  # fmt: skip
    assert known.state == "WAITING"
    shown, act = (f"/admin/reconciliation/statement/{known.pk}/{end}/" for end in ("change", "discard"))
    reason = {"reason": "Of another bank", "_form_submitted": "True"}
    records = AuditRecord.objects.filter(subject_id=known.pk, action__startswith="statement.")

    auditor = sign_in("auditor")
    assert "Discard this page" not in auditor.get(shown).content.decode()
    assert auditor.post(act, reason).status_code == 403
    known.refresh_from_db()
    assert (known.state, records.count()) == ("WAITING", 1)

    finance = sign_in("finance")
    assert "Discard this page" in finance.get(shown).content.decode()
    page = finance.post(act, reason, follow=True).content.decode()

    assert "The page is discarded." in page
    assert "discarded by operator:demo_finance: Of another bank" in page
    assert "Discard this page" not in page
    again = finance.post(act, reason, follow=True).content.decode()
    assert "Not discarded: Only a page that waits for others is discarded." in again
    assert (Statement.objects.get().state, records.count()) == ("REFUSED", 2)


def test_the_file_is_taken_away_as_it_came_and_that_is_recorded(sign_in: SignIn) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    client = sign_in("finance")
    client.post(UPLOAD, sent(account=account.pk))
    statement = Statement.objects.get()

    answer = client.get(reverse("admin:reconciliation_statement_file", args=[statement.pk]))

    assert b"".join(answer.streaming_content) == FILE  # type: ignore[attr-defined]
    assert answer["Content-Disposition"] == 'attachment; filename="_day_one.csv"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert AuditRecord.objects.get(action="statement.downloaded").subject_id == statement.pk
    assert (
        sign_in("support").get(reverse("admin:reconciliation_statement_file", args=[statement.pk])).status_code == 403
    )
    assert client.get(reverse("admin:reconciliation_statement_file", args=["stm_none"])).status_code == 404


SAMPLE = (
    "Export\r\nWhen;Kind;Ref;Ours;Paid\r\n02.03.2026 12:00;Sale;A1;EPG1;1.234,50\r\n02.03.2026 12:30;Back;A2;RFD1;x\r\n"
)


def test_the_wizard_shows_the_sample_what_would_be_read_and_proposes_a_version(sign_in: SignIn) -> None:
    source = Source.objects.create(code="cards", name="Cards", side="PROVIDER", format="mapped", zone="Europe/Berlin")
    client = sign_in("finance_lead")
    url = f"/admin/reconciliation/source/{source.pk}/columns/"

    begun = client.post(url, {"file": SimpleUploadedFile("s.csv", SAMPLE.encode())})
    sample = re.search(r'name="sample" value="([^"]+)"', begun.content.decode())
    assert sample is not None
    form = {
        "sample": sample.group(1),
        "encoding": "utf-8",
        "delimiter": ";",
        "skip_rows": "1",
        "skip_matching": "^Total",
        "date_format": "%d.%m.%Y %H:%M",
        "decimal": ",",
        "thousands": ".",
        "negative": "minus",
        "sign": "by_type",
        "column_at": "When",
        "column_type": "Kind",
        "column_provider_reference": "Ref",
        "column_our_reference": "Ours",
        "column_amount": "Paid",
        "fixed_currency": "EUR",
        "fixed_account_key": "K1",
        "types": "Sale = PAYMENT\nBack = REFUND",
        "day": "2026-03-02",
    }
    preview = client.post(url, form | {"act": "preview"}).content.decode()
    assert "1,234.50" in preview or "1234.50" in preview
    assert "&#x27;x&#x27; is not an amount as declared" in preview
    proposes = form | {"act": "propose", "reason": "Their letter"}
    wrong = client.post(url, proposes | {"column_amount": "", "thousands": ","}).content.decode()
    assert "is the decimal sign already" in wrong
    assert "has to be a column" in wrong
    tampered = client.post(url, proposes | {"sample": "x" + form["sample"]}).content.decode()
    assert "Choose a file to begin with." in tampered
    assert "required" in client.post(url, proposes | {"reason": ""}).content.decode()
    assert Proposal.objects.count() == 0

    answer = client.post(url, proposes)

    proposal = Proposal.objects.get()
    assert (answer["Location"], SourceMapping.objects.count()) == (f"/admin/common/proposal/{proposal.pk}/change/", 0)
    assert "Paid" in client.get(answer["Location"]).content.decode()
    reason = {"reason": "Checked", "_form_submitted": "True"}
    client.post(f"/admin/common/proposal/{proposal.pk}/approve/", reason)
    assert SourceMapping.objects.count() == 0
    sign_in("superuser").post(f"/admin/common/proposal/{proposal.pk}/approve/", reason)
    source.refresh_from_db()
    assert (source.mapping_version, SourceMapping.objects.get().version) == (1, 1)
    assert AuditRecord.objects.get(action="source.mapped", subject_id="cards").reason == "Their letter"
    statement = statement_import(
        content=SAMPLE.encode(), provider="cards", account=None, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    ).statement
    assert (statement.state, statement.mapping_version, statement.quarantined_count) == ("IMPORTED", 1, 1)
    assert StatementLine.objects.get().amount_minor == 123_450
    assert sign_in("operations").post(url, proposes).status_code == 403
    assert Proposal.objects.count() == 1
