"""What happens to every request before and after its view.

In order: the security policy of the answer, who acts, how a refusal is told, and whether the endpoint is open to the
actor.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable
from typing import Any

from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from counterfoil.access.actors import Actor
from counterfoil.access.keys import actor_of_key
from counterfoil.access.models import User
from counterfoil.access.requests import Request
from counterfoil.access.rules.endpoints import PUBLIC, SIGNED_IN
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.app import endpoints
from counterfoil.app.refusals import API_ROOT, Told, answer, login_first, translated
from counterfoil.core.errors import NotAllowed, Refusal
from counterfoil.plumbing import clock

log = logging.getLogger("counterfoil.requests")

Handler = Callable[[HttpRequest], HttpResponseBase]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
BODY_MAX = 25 * 1024 * 1024
"""No request of the product is larger: imports are the largest. Django itself caps forms and JSON at 5 MB."""


class ContentSecurityPolicy:
    """No script, style, frame or request that is not ours, on every page alike."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response


class WhoActs:
    """Puts ``request.actor`` on the request: the user of the session, on the API the key of ``Authorization: Bearer``.

    The API knows no cookies, so no other site can make a browser use it; pages know no keys.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        if request.path.startswith(API_ROOT):
            request.actor = _bearer(request) or Actor.nobody()
        elif isinstance(user := _user(request), User):
            request.actor = user.actor()
            translation.activate(user.language)
        else:
            request.actor = Actor.nobody()
        response = self.get_response(request)
        if request.actor.is_known:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def _user(request: HttpRequest) -> object:
    """The session's user, unwrapped from Django's lazy object; an anonymous one has no session or a dead one."""
    return request.user if request.user.is_authenticated else None


def _bearer(request: HttpRequest) -> Actor | None:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        return None
    return actor_of_key(key.strip(), at=clock.now())


class Refusals:
    """Tells a refusal in the language of the surface: problem JSON, a note for htmx, or a page.

    Input that the database cannot take, and two writers that a constraint kept apart, are refusals too; they are
    logged, because a command should have said it better.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        refusal = unreadable(request)
        return answer(request, refusal) if refusal else self.get_response(request)

    def process_exception(self, request: Request, error: Exception) -> HttpResponse | None:
        if isinstance(error, DataError | IntegrityError):
            log.error("the database refused an input: %s %s", request.method, request.path, exc_info=error)
        elif isinstance(error, OperationalError | InterfaceError):
            log.error("the database did not answer: %s %s", request.method, request.path, exc_info=error)
        refusal = translated(error)
        return answer(request, refusal) if refusal else None


def unreadable(request: HttpRequest) -> Refusal | None:
    """Why the request cannot be read at all, before any view sees it."""
    if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
        return Told(400, "nul_character", "The address holds a character that cannot be used.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > BODY_MAX:
        return Told(413, "too_large", f"The request is larger than {BODY_MAX // 1024 // 1024} MB.")
    charset = (request.content_params or {}).get("charset")
    if charset is not None and not _is_unicode(charset):
        return Told(415, "unknown_encoding", "The request must be encoded in UTF-8.")
    return None


def _is_unicode(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False


class EndpointGuard:
    """Lets a request through when the declared table says so. What is not declared is refused."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: Request, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        assert request.resolver_match is not None
        route = endpoints.declared_route(request.resolver_match.route)
        method = "GET" if request.method == "HEAD" else request.method
        need = endpoints.table().get(f"{method} {route}")
        if need is None:
            return self._undeclared(request, route)
        if need == PUBLIC:
            return None
        if not request.actor.is_known:
            return login_first(request)
        if need == SIGNED_IN or request.actor.may(need):
            # Every list can be saved as a file; taking the data out of the house is a right of its own.
            is_export = "export" in request.GET and not request.path.startswith(API_ROOT)
            need = "exporting.run" if is_export else SIGNED_IN
        if need == SIGNED_IN or request.actor.may(need):
            return None
        return answer(request, NotAllowed("not_allowed", f"You may not do this: {PERMISSIONS[need].lower()}."))

    def _undeclared(self, request: Request, route: str) -> HttpResponse:
        allowed = endpoints.methods().get(route)
        if allowed is None:
            log.error("an endpoint that is not declared was asked for: %s %s", request.method, route)
            return answer(request, NotAllowed("not_declared", "This address is not open to anyone."))
        if not request.actor.is_known and not any(
            endpoints.table()[f"{method} {route}"] == PUBLIC for method in allowed
        ):
            return login_first(request)
        response = answer(request, Told(405, "method_not_allowed", f"{request.method} is not possible here."))
        response["Allow"] = ", ".join(sorted(allowed))
        return response
