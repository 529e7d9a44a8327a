"""Default deny: a route names the scope of each of its methods, and the caller's key has to have it."""

from __future__ import annotations

from typing import cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from common.errors import Forbidden
from merchants.caller import Caller


class HasScope(BasePermission):
    """Checks `view.required_scopes`, a mapping of HTTP method to Scope. A method that is not in it is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method.lower() not in view.http_method_names or not hasattr(view, method.lower()):
            return True  # nothing to permit: the dispatcher answers 405
        scope = getattr(view, "required_scopes", {}).get(method)
        if scope is None:
            raise Forbidden("This cannot be done with an API key.")
        caller = cast(Caller, request.auth)
        if scope not in caller.scopes:
            raise Forbidden(f"This key lacks the scope {scope}.", requiredScope=scope)
        return True
