"""How "no" is told, once for all rooms: which error is which refusal, and its form on each surface."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils.http import urlencode

from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal
from counterfoil.surface.as_json import problem_answer, problem_response

API_ROOT = "/api/v1/"


class Told(Refusal):
    """A refusal with a status of its own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


def translated(error: BaseException) -> Refusal | None:
    """The error as a refusal, or ``None`` for a bug."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Http404):
        return NotFound("There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return NotAllowed("not_allowed", "You may not do this.")
    if isinstance(error, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
        return Told(413, "too_large", "The request is too large.")
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        return Told(400, "unreadable", "The request could not be read.")
    if isinstance(error, DataError):
        return Refusal("bad_value", "A value cannot be stored: it is too long, out of range or not text.")
    if isinstance(error, IntegrityError):
        return Conflict("conflict", "Somebody else changed this at the same moment. Reload and try again.")
    if isinstance(error, OperationalError | InterfaceError):
        return Told(503, "busy", "The database does not answer just now. Nothing was changed. Try again in a moment.")
    return None


def answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal on the surface that asked: problem JSON, a note for htmx, or a page."""
    if request.path.startswith(API_ROOT):
        return problem_answer(refusal)
    if request.headers.get("HX-Request") == "true":
        return _note(refusal)
    return _page(request, refusal)


def _note(refusal: Refusal) -> HttpResponse:
    """For htmx: nothing is swapped; the event ``refused`` carries the message, which the page shows and reads out."""
    problems = [{"field": item.field, "message": item.message} for item in refusal.problems[:20]]
    told = {"refused": {"code": refusal.code, "message": refusal.message, "problems": problems}}
    response = HttpResponse(status=refusal.status)
    response["HX-Trigger"] = json.dumps(told)
    response["HX-Reswap"] = "none"
    return response


def _page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    context = {
        "status": refusal.status,
        "heading": _HEADINGS.get(refusal.status, HTTPStatus(refusal.status).phrase),
        "message": refusal.message,
        "problems": [item for item in refusal.problems if item.message != refusal.message],
        "back": _own_referer(request),
    }
    return HttpResponse(render_to_string("surface/refused.html", context), status=refusal.status)


_HEADINGS = {
    400: "This could not be read",
    403: "You may not do this",
    404: "Not found",
    405: "Not possible here",
    409: "Somebody was faster",
    413: "Too large",
    415: "Unknown encoding",
    422: "This needs your attention",
    429: "Too many attempts",
    500: "Something broke",
    503: "Busy",
}


def _own_referer(request: HttpRequest) -> str:
    """The page from which the user came, when it is ours, as a path."""
    referer = request.META.get("HTTP_REFERER", "")
    own = f"{request.scheme}://{request.META.get('HTTP_HOST', '')}/"
    return referer.removeprefix(own[:-1]) if referer.startswith(own) else ""


def login_first(request: HttpRequest) -> HttpResponse:
    """For somebody unknown: 401 on the API, the login page in the browser, with the way back."""
    if request.path.startswith(API_ROOT):
        response = problem_response(401, "not_authenticated", "Send a valid API key as “Authorization: Bearer …”.")
        response["WWW-Authenticate"] = 'Bearer realm="counterfoil"'
        return response
    after = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    if request.headers.get("HX-Request") == "true":
        # No redirect: the page says that the session is lost and keeps what was typed.
        return HttpResponse(status=401)
    return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': after})}")


# Django calls these for what happens outside a view: before the guard, or in a middleware.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, translated(exception) or Told(400, "unreadable", "The request could not be read."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, NotAllowed("not_allowed", "You may not do this."))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, NotFound("There is nothing at this address."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or old: most often somebody logged out in another tab."""
    return answer(request, Told(403, "form_expired", "This form has expired. Reload the page and send it again."))


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug, or a database that is away. The page needs neither the database nor the request."""
    error: Any = sys.exc_info()[1]
    refusal = translated(error) if error is not None else None
    if refusal is not None:
        return answer(request, refusal)
    return answer(request, Told(500, "broken", "This is a fault of the product. It was written to the log."))
