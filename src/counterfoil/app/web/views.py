"""Pages that belong to no room."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from counterfoil.access.requests import Request


def today(request: Request) -> HttpResponse:
    return render(request, "app/today.html", {})


def search(request: Request) -> HttpResponse:
    return render(request, "app/search.html", {})


def settings_index(request: Request) -> HttpResponse:
    return render(request, "app/settings.html", {})


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of the database."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The process can do its work: the database answers. 503 otherwise, by the middleware."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ready", content_type="text/plain")


def api_docs(request: Request) -> HttpResponse:
    """Swagger UI from the files of the ninja package; the document is asked for at an address that takes the session."""
    settings = {"url": reverse("api_docs_openapi"), "layout": "BaseLayout", "deepLinking": True, "validatorUrl": None}
    return render(request, "app/api_docs.html", {"swagger_settings": settings})


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document, for keys and for the page above."""
    return HttpResponse(openapi_document(), content_type="application/json")


@cache
def openapi_document() -> str:
    from counterfoil.app.api import api

    document: dict[str, Any] = api.get_openapi_schema(path_prefix="")
    return json.dumps(document, indent=1)
