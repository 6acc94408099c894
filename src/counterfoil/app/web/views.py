"""Pages that belong to no room."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from counterfoil.access.queries import Hit, find, find_everywhere
from counterfoil.access.requests import Request
from counterfoil.app import system as installation
from counterfoil.app.api_document import openapi_document
from counterfoil.app.api_reference import reference
from counterfoil.app.context import actions
from counterfoil.app.web.settings_pages import settings_pages
from counterfoil.app.web.today import strips
from counterfoil.invoicing.queries import local_today
from counterfoil.surface.htmx import page

TEXT_MAX = 200
FOUND_PER_KIND = 5
FOUND_ON_PAGE = 25


def today(request: Request) -> HttpResponse:
    """What needs this person."""
    found = strips(request.actor, local_today())
    first = next((strip.lines[0] for strip in found if strip.is_urgent and strip.lines), None)
    return page(
        request, "app/today.html", {"strips": found, "first": first, "is_quiet": not any(s.count for s in found)}
    )


def search(request: Request) -> HttpResponse:
    """Go to, find and do: as options for the palette, as a page for everybody else."""
    text = request.GET.get("q", "")[:TEXT_MAX].strip()
    is_palette = request.headers.get("HX-Target") == "palette-results"
    groups = find_everywhere(request.actor, text, FOUND_PER_KIND if is_palette else FOUND_ON_PAGE)
    context = {
        "text": text,
        "groups": [(plural, [(hit, _address(hit)) for hit in hits]) for plural, hits in groups],
        "actions": actions(request.actor, text),
        "settings": [link for _, links in settings_pages(request.actor, text) for link in links] if text else [],
    }
    return page(request, "app/palette.html" if is_palette else "app/search.html", context)


def _address(hit: Hit) -> str:
    return reverse(hit.page, args=[hit.id])


def find_records(request: Request, key: str) -> HttpResponse:
    """For the boxes that find one record of a kind."""
    hits = find(request.actor, key, request.GET.get("q", "")[:TEXT_MAX])
    options = [{"id": str(hit.id), "title": hit.title, "hint": hit.hint} for hit in hits]
    return JsonResponse({"options": options})


def settings_index(request: Request) -> HttpResponse:
    """Every page of settings that this person may open."""
    text = request.GET.get("q", "")[:TEXT_MAX]
    return page(request, "app/settings.html", {"groups": settings_pages(request.actor, text), "text": text})


def system(request: Request) -> HttpResponse:
    """Whether everything that should run runs."""
    return page(request, "app/system.html", {"state": installation.state()})


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of the database."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The process can do its work: the database answers. 503 otherwise, by the middleware."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ready", content_type="text/plain")


def api_docs(request: Request) -> HttpResponse:
    """The API's document as a page, and the operations that one looks for."""
    text = request.GET.get("q", "")[:TEXT_MAX].strip()
    return page(request, "app/api_docs.html", {"reference": reference().narrowed(text), "text": text})


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document, for keys and for the page above."""
    return HttpResponse(openapi_document(), content_type="application/json")
