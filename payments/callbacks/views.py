"""`POST /eps/callback`: what FPX and MIGS tell us directly. Answered 200 only once it is durable, so that they repeat anything else."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from common.database import AWAY
from common.errors import CounterfoilError
from payments.callbacks.intake import receive

log = structlog.get_logger(__name__)


@csrf_exempt  # the message is authentic by the provider's signature, and no session is involved
def callback(request: HttpRequest) -> HttpResponse:
    """200 `OK` (the word that FPX waits for), 401 not signed by a provider of ours, 400 unreadable, 413, 415, 503 try again."""
    if request.method != "POST":
        return HttpResponse("Use POST.", status=405, headers={"Allow": "POST"}, content_type="text/plain")
    try:
        received = receive(request)
    except CounterfoilError as exc:
        return HttpResponse(exc.message, status=exc.status, content_type="text/plain")
    except AWAY as exc:
        log.error("callback.database_away", error=type(exc).__name__)
        return HttpResponse("Try again later.", status=503, content_type="text/plain")
    if not received.verified:
        return HttpResponse("Unauthorized", status=401, content_type="text/plain")
    return HttpResponse("OK", content_type="text/plain")
