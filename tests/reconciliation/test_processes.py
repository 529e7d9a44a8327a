"""The commands as real processes, in the role that an installation uses: it owns no table."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from common.models import Fact
from reconciliation.models import Match
from tests.factories import NOW, ProviderAccountFactory, captured_transaction, sale_of
from tests.reconciliation.given import DAY, Listed, fpx_file, listed

pytestmark = pytest.mark.django_db(transaction=True)


def test_import_reconcile_and_verify_with_their_exit_statuses(app_role_url: str, tmp_path: Path) -> None:
    account = ProviderAccountFactory(account_key="SE1")
    sale = sale_of(captured_transaction(account))
    Fact.objects.update(published_at=NOW)
    file = tmp_path / "statement.csv"

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=Path(__file__).resolve().parent.parent.parent,
            env=os.environ | {"DATABASE_URL": app_role_url, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def take_in(*lines: Listed) -> int:
        file.write_bytes(fpx_file(lines, account="SE1"))
        return manage("import_statement", str(file), "--provider=fpx", "--account=SE1", f"--date={DAY}").returncode

    honest, stranger = listed(sale, provider_reference="F1"), Listed("SE1", "F2", "EPG404")
    assert take_in(honest, stranger) == 0
    assert take_in(replace(stranger, minor=20_000)) == 2  # something else of a line that is known
    assert take_in(replace(stranger, reference="EPG405", provider_reference="F3", minor=-1)) == 1  # quarantined
    breaks = manage("reconcile", "--provider=fpx", f"--date={DAY}", "--no-fetch")
    assert (breaks.returncode, "1 MISSING_IN_BOOKS" in breaks.stderr) == (1, True)
    assert Match.objects.get().operation_id == sale.pk
    books = manage("verify_books")
    assert (books.returncode, "The books are right" in books.stdout) == (0, True)
