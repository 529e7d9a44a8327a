"""`/api/schema/`: the OpenAPI document, made once a process for each form it is asked for. Making it takes most of a second of a core."""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

_making = threading.Lock()


@cache
def _document() -> Any:
    return SpectacularAPIView.generator_class().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


@cache
def _rendered(media_type: str) -> tuple[bytes, str]:
    """The document's bytes and their ETag."""
    renderer = next(one for one in SpectacularAPIView.renderer_classes if one.media_type == media_type)
    rendered = renderer().render(_document(), renderer_context={})
    body = rendered.encode() if isinstance(rendered, str) else rendered
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class DocumentView(SpectacularAPIView):
    """YAML or JSON, by Accept or `?format=`. A caller who has it is told so by its ETag: 304."""

    schema = None  # the document does not describe itself

    def get(self, request: Request, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        renderer = request.accepted_renderer
        with _making:  # who asks at the same time waits for it instead of making it as well
            body, etag = _rendered(renderer.media_type)
        headers = {"ETag": etag, "Content-Disposition": f'inline; filename="Counterfoil API.{renderer.format}"'}
        response = HttpResponse(body, content_type=renderer.media_type, headers=headers)
        return get_conditional_response(request._request, etag=etag, response=response) or response
