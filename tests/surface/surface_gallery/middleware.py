"""The product's security policy and the way it tells htmx of a refusal, without the product's rooms."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from counterfoil.core.errors import Refusal

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)


class Policy:
    """Sets the policy; answers a refusal with the event that the pages hear."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, Refusal):
            return None
        response = HttpResponse(status=error.status)
        response["HX-Trigger"] = json.dumps({"refused": {"code": error.code, "message": error.message, "problems": []}})
        response["HX-Reswap"] = "none"
        return response
