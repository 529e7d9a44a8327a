"""What is kept of operators signing in: the audit log keeps that they did; the log and the locks of the sign-in form go after 90 days, dead sessions at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.models import Session

KEPT = timedelta(days=90)


def reap_sign_ins(*, now: datetime) -> None:
    """Delete what is over. A lock that still holds is far younger."""
    Session.objects.filter(expire_date__lt=now).delete()
    AccessLog.objects.filter(attempt_time__lt=now - KEPT).delete()
    AccessAttempt.objects.filter(attempt_time__lt=now - KEPT).delete()
