"""Answers to a browser, with and without htmx: full page or named partial, toasts with undo, redirects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

KINDS = {"success": messages.SUCCESS, "info": messages.INFO, "warning": messages.WARNING, "error": messages.ERROR}


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asked for a part of a page, not for a whole one."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Boosted") != "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The full page; for htmx the partial of this template that is named like the request's target, if there is one.

    A page with a ``listing`` needs no partial for ``results``.
    """
    values = dict(context or {})
    text = _partial(request, template, values)
    is_partial = text is not None
    if text is None:
        text = render_to_string(template, values, request)
    response = HttpResponse(text, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return with_toasts(request, response) if is_partial else response


def _partial(request: HttpRequest, template: str, context: dict[str, Any]) -> str | None:
    target = request.headers.get("HX-Target", "")
    if not is_htmx(request) or not target:
        return None
    name = target.replace("-", "_")
    try:
        return render_to_string(f"{template}#{name}", context, request)
    except TemplateDoesNotExist as missing:
        if not str(missing).endswith(name):
            raise
    if name == "results" and "listing" in context:
        return render_to_string("surface/components/listing_results.html", context, request)
    return None


def say(request: HttpRequest, message: str, *, kind: str = "success", undo: str = "") -> None:
    """Tell the person what happened, on this answer or on the next page. ``undo`` is an address that takes POST."""
    messages.add_message(request, KINDS[kind], message, extra_tags=undo)


def with_toasts(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Put what was said into the answer's events, for answers that are not a page."""
    toasts = [
        {"message": str(one.message), "kind": one.level_tag, "undo": one.extra_tags or ""}
        for one in messages.get_messages(request)
    ]
    return with_events(response, toasts=toasts) if toasts else response


def with_events(response: HttpResponse, **events: Any) -> HttpResponse:
    """Add events that the page hears once the answer is there."""
    known = json.loads(response.get("HX-Trigger", "{}"))
    response["HX-Trigger"] = json.dumps({**known, **events})
    return response


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Go to another page. What was said is shown there."""
    if not is_htmx(request):
        return HttpResponseRedirect(url)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = url
    return response


def stay(request: HttpRequest, **events: Any) -> HttpResponse:
    """Done, and nothing to draw: toasts and events only. Without htmx, back to the page that asked."""
    if not is_htmx(request):
        return HttpResponseRedirect(own_referer(request))
    return with_toasts(request, with_events(HttpResponse(status=204), **events))


def reload(request: HttpRequest) -> HttpResponse:
    """Draw the page that asked anew. What was said is shown there."""
    if not is_htmx(request):
        return HttpResponseRedirect(own_referer(request))
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


def own_referer(request: HttpRequest, otherwise: str = "/") -> str:
    """The page of ours that asked."""
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return referer
    return otherwise
