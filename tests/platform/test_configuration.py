"""What is configured agrees with what is there: the environment's documentation, the schedule, the broker's manners."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import app
from config.schedule import BEAT_SCHEDULE

READ_BY_LIBRARIES = {"DJANGO_SETTINGS_MODULE", "PROMETHEUS_MULTIPROC_DIR"}


def test_every_variable_is_documented_and_every_documented_one_is_read():
    root = settings.BASE_DIR
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (root / "config/env.py").read_text()))
    read |= set(re.findall(r"\$\{([A-Z_]+)", (root / "Procfile").read_text()))
    documented = set(re.findall(r"^#? ?([A-Z_]+)=", (root / ".env.example").read_text(), re.MULTILINE))

    assert documented - READ_BY_LIBRARIES == read


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_what_is_asked_for_is_in_the_lock(name):
    """What an installation gets is the lock alone."""

    def pinned(path: str) -> set[str]:
        text = (settings.BASE_DIR / path).read_text()
        found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,-]+\])?==([^\s;]+)", text, re.MULTILINE)
        return {f"{re.sub('[-_.]+', '-', package).lower()}=={version}" for package, version in found}

    asked = pinned(f"{name}.in")

    assert len(asked) > 10
    assert asked - pinned(f"{name}.txt") == set()


def test_the_transfer_batch_s_page_knows_when_it_runs_next_on_a_developer_s_machine_too(tmp_path):
    asked = (
        "import django; django.setup(); from django.utils import timezone; "
        "from payments.admin.transfer_runs import _next_run; now = timezone.now(); print((_next_run(now) - now).total_seconds())"
    )
    environment = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "config.settings.local", "DATA_DIR": str(tmp_path)}

    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked], capture_output=True, text=True, env=environment
    )

    assert answer.returncode == 0, answer.stderr
    assert 0 < float(answer.stdout) <= 90


def test_every_scheduled_task_exists_and_its_messages_expire():
    app.loader.import_default_modules()

    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} <= set(app.tasks)
    assert all(entry["options"]["expires"] > 0 for entry in BEAT_SCHEDULE.values())


@pytest.fixture(params=["refuses", "is silent"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Redis that is not one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_publishing_without_a_broker_fails_soon(broker):
    lost = Celery("lost", broker=broker, set_as_current=False)
    lost.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    lost.conf.task_publish_retry = settings.CELERY_TASK_PUBLISH_RETRY
    began = time.monotonic()

    with pytest.raises(OperationalError):
        lost.send_task("payments.sweep")

    assert time.monotonic() - began < 3
