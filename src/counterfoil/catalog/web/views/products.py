"""Products on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.catalog import commands, queries
from counterfoil.catalog.ports import usual_currency
from counterfoil.core.errors import Refusal
from counterfoil.core.money import Money
from counterfoil.plumbing import clock
from counterfoil.surface import display, export
from counterfoil.surface.forms import record_form, values_from, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, amount

KEY = "catalog.product"
SECTIONS = {
    "Product": ["name", "code", "family", "description"],
    "Price": ["unit_price", "currency", "unit", "interval", "tax_class", "ledger_code"],
}
READ_OR_SAVE = ["GET", "HEAD", "POST"]
_NEW = {"interval": "one_off", "tax_class": "standard"}


@require_GET
def products(request: Request) -> HttpResponseBase:
    listing = Listing(
        KEY,
        request.GET,
        columns=["name", "code", "family", "interval", "tax_class", "unit", "unit_price", "is_active"],
        filters=["interval", "tax_class", "is_active"],
        sorts=["name", "code", "family", "unit_price"],
        sort="name",
        search="Search by name, code or family",
        extra=[amount("unit_price", "List price", read=_price)],
        empty=Empty(
            "No products yet",
            "What you sell, with its list price. Deals and drafts take it from here.",
            "New product" if request.actor.may("catalog.change") else "",
            reverse("catalog:new_product"),
            "package",
        ),
    )
    found = queries.list_products(
        request.actor,
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
    )
    if listing.export:
        return export.response(listing, found.rows, "products")
    return page(request, "catalog/products.html", {"listing": listing.filled(found.rows, count=found.count)})


def _price(row: Row) -> Any:
    """The list price as money; one of more decimals than its currency has as text; a closed one as it is."""
    if "unit_price" in row.closed:
        return row.unit_price
    try:
        return Money.exact(row.unit_price, row.currency)
    except ValueError:
        return f"{display.number(row.unit_price)} {row.currency}"


@require_http_methods(READ_OR_SAVE)
def new_product(request: Request) -> HttpResponse:
    return _form(request, None)


@require_http_methods(READ_OR_SAVE)
def product(request: Request, product_id: UUID) -> HttpResponse:
    return _form(request, queries.get_product(request.actor, product_id))


def _form(request: Request, row: Any) -> HttpResponse:
    """The product's form: new, shown, saved, or shown again with what is wrong."""
    may_save = request.actor.may("catalog.change")
    writable = request.actor.writes if may_save else frozenset()
    sections = SECTIONS if row is None else {**SECTIONS, "Use": ["is_active"]}
    names = [name for part in sections.values() for name in part]
    values = row if row is not None else _NEW | {"currency": usual_currency()}
    form = record_form(KEY, values=values, sections=sections, writable=writable)
    status = 200
    if request.method == "POST":
        typed = values_from(request.POST, KEY, only=names)
        try:
            if row is None:
                commands.add_product(actor=request.actor, values=typed)
            else:
                commands.change_product(
                    actor=request.actor, product_id=row.id, values=typed, version=version_from(request.POST)
                )
            say(request, "Saved.")
            return go(request, reverse("catalog:products"))
        except Refusal as refusal:
            status = refusal.status
            form = record_form(KEY, values=values, typed=typed, sections=sections, problems=refusal, writable=writable)
    context = {"product": row, "form": form, "may_save": may_save, "prices": _recurring(request, row)}
    return page(request, "catalog/product.html", context, status=status)


@dataclass(frozen=True)
class Recurring:
    """A recurring price of the product: the version of the day, or the next one, or the last; and the others."""

    shown: Row
    others: list[Row]


def _recurring(request: Request, row: Any) -> list[Recurring]:
    """The product's recurring prices by key, those that are offered before those that were."""
    if row is None:
        return []
    versions = queries.prices_of_product(request.actor, row.id, on=clock.today(), language=display.language())
    found = []
    for _, same in groupby(versions, key=lambda one: (one["key"], one.currency, one.price_list)):
        known = list(same)
        order = ("offered", "planned", "past")
        shown = min(reversed(known), key=lambda one: order.index(one.state))
        if shown.state == "past":
            shown = known[0]
        found.append(Recurring(shown, [one for one in known if one is not shown]))
    return sorted(found, key=lambda price: price.shown.state == "past")
