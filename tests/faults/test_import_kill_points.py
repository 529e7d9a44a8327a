"""An import that dies anywhere has brought nothing or all of its file, and the next one brings exactly the rest."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from django.db import connection

from common import crashpoints
from common.books import Asked, verify
from common.models import AuditRecord, Fact
from merchants.models import ProviderAccount
from reconciliation.models import (
    QuarantinedLine,
    Remittance,
    Statement,
    StatementFile,
    StatementFileChunk,
    StatementLine,
)
from reconciliation.services.imports import statement_import
from tests.factories import ProviderAccountFactory
from tests.reconciliation.given import ACTOR, DAY, NEXT_MORNING, Listed, fpx_file

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 137
POINTS = (
    "import.fingerprinted",
    "import.locked",
    "import.copied",
    "import.compared",
    "import.lines_written",
    "import.quarantined",
    "import.remitted",
    "import.applied",
    "import.file_kept",
    "import.before_commit",
    "import.committed",
)
TWIN = Listed("SE1", "F0", "EPG0")
LINES = [TWIN, TWIN, *(Listed("SE1", f"F{n}", f"EPG{n}") for n in range(1, 40)), Listed("SE1", "F99", "EPG99")]
FILE = fpx_file(LINES, account="SE1").replace(b"F99,EPG99", b"F99,EPG 99")  # the last one cannot be read


def take(account: ProviderAccount, content: bytes = FILE) -> Statement:
    return statement_import(
        content=content, provider="fpx", account=account, live=False, day=DAY, actor=ACTOR, now=NEXT_MORNING
    ).statement


def dies_at(point: str, act: Callable[[], object]) -> int:
    """Do it in a process of its own that dies at `point`; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            connection.connection = None  # the parent's, which stays open
            crashpoints._ARMED = point
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kept() -> dict[str, int]:
    models = (Statement, StatementFile, StatementFileChunk, StatementLine, QuarantinedLine, Remittance)
    return {model.__name__: model.objects.count() for model in models} | {
        "facts": Fact.objects.filter(name="remittance.announced").count(),
        "records": AuditRecord.objects.filter(action="statement.imported").count(),
    }


ALL = {
    "Statement": 1,
    "StatementFile": 1,
    "StatementFileChunk": 1,
    "StatementLine": 41,
    "QuarantinedLine": 1,
    "Remittance": 1,
    "facts": 1,
    "records": 1,
}


@pytest.mark.parametrize("point", POINTS)
def test_an_import_that_dies_there_is_simply_done_again(point: str) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    connection.close()

    assert dies_at(point, lambda: take(account)) == KILLED

    assert kept() == (ALL if point == "import.committed" else dict.fromkeys(ALL, 0))
    take(account)
    take(account)
    assert kept() == ALL
    longer = take(account, fpx_file([*LINES, *(Listed("SE1", f"G{n}", f"EPH{n}") for n in range(10))], account="SE1"))
    assert (longer.line_count, longer.new_line_count, longer.controls) == (52, 11, "AGREED")
    assert StatementLine.objects.count() == 52
    assert list(StatementLine.objects.filter(provider_reference="F0").values_list("occurrence", flat=True)) == [1, 2]
    assert [line for _, found in verify(Asked(now=NEXT_MORNING)) for line in found.violations] == []
