"""Price lists on the screen."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.catalog import commands, queries
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock
from counterfoil.surface import display
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say

KEY = "catalog.price_list"
FIELDS = ["name", "tier", "account"]
READ_OR_SAVE = ["GET", "HEAD", "POST"]
SHOWN_MAX = 200


@require_safe
def price_lists(request: Request) -> HttpResponse:
    return page(
        request, "catalog/price_lists.html", {"price_lists": queries.list_price_lists(request.actor, clock.today())}
    )


@require_http_methods(READ_OR_SAVE)
def new_price_list(request: Request) -> HttpResponse:
    return _form(request, None)


@require_http_methods(READ_OR_SAVE)
def price_list(request: Request, price_list_id: UUID) -> HttpResponse:
    return _form(request, queries.get_price_list(request.actor, price_list_id))


def _form(request: Request, row: Row | None) -> HttpResponse:
    """The list's form, and the prices that it has today or will have."""
    may_save = request.actor.may("catalog.change")
    typed, refused = None, None
    if request.method == "POST":
        typed = values_from(request.POST, KEY, FIELDS)
        try:
            if row is None:
                commands.add_price_list(actor=request.actor, values=typed)
            else:
                version = version_from(request.POST)
                commands.change_price_list(actor=request.actor, price_list_id=row.id, values=typed, version=version)
        except Refusal as refusal:
            refused = refusal
        else:
            say(request, "Saved.")
            return go(request, reverse("catalog:price_lists"))
    form = record_form(
        KEY,
        values=row,
        typed=typed,
        only=FIELDS,
        problems=refused or (),
        writable=request.actor.writes if may_save else frozenset(),
    )
    context = {"price_list": row, "form": form, "may_save": may_save, "prices": _prices(request, row)}
    return page(request, "catalog/price_list.html", context, status=refused.status if refused else 200)


def _prices(request: Request, row: Row | None) -> list[Any]:
    if row is None:
        return []
    return queries.list_prices(
        request.actor,
        on=clock.today(),
        filters={"price_list": [row.id]},
        limit=SHOWN_MAX,
        language=display.language(),
    ).rows
