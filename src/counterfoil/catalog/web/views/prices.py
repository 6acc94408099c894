"""Recurring prices on the screen: the list, a price with its versions, and the form with what quantities cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.catalog import commands, queries
from counterfoil.catalog.models import Billed, PriceModel
from counterfoil.catalog.rules.pricing import TIERED, Pricing, tiers_from
from counterfoil.catalog.rules.wording import interval_in_words
from counterfoil.catalog.web.forms import (
    DAYS,
    IDENTITY,
    KEY,
    TERMS,
    Trial,
    as_shown,
    as_values,
    price_fields,
    trial_of,
    typed_price,
    typed_trial,
)
from counterfoil.catalog.web.input import day_from
from counterfoil.core.errors import Refusal
from counterfoil.core.money import formatted_price
from counterfoil.plumbing import clock
from counterfoil.surface import display, export
from counterfoil.surface.forms import Form, record_form, version_from
from counterfoil.surface.htmx import go, page, say
from counterfoil.surface.lists import Empty, Listing, text

COLUMNS = (
    "words", "product", "key", "price_list", "state", "valid_from", "valid_to", "meter", "model", "currency", "billed",
)  # fmt: skip
SHOWN = ("words", "product", "key", "price_list", "state", "valid_from")
READ_OR_SAVE = ["GET", "HEAD", "POST"]
NEW_TIERS = [{"up_to": "1000", "amount": ""}, {"up_to": "", "amount": ""}]


@require_GET
def prices(request: Request) -> HttpResponseBase:
    query = request.GET.copy()
    if not query.getlist("columns"):
        query.setlist("columns", list(SHOWN))
    listing = Listing(
        KEY,
        query,
        columns=COLUMNS,
        filters=["state", "price_list", "model", "interval", "billed", "currency", "is_metered"],
        sorts=["key", "product", "price_list", "valid_from"],
        sort="product",
        search="Search by key, product, list or meter",
        extra=[text("words", "Price", read=lambda row: row.words)],
        options={"price_list": [(row.id, row.title) for row in queries.list_price_lists(request.actor, clock.today())]},
        empty=Empty(
            "No recurring prices yet",
            "What subscriptions and usage are billed by. Open a product to add one.",
            "Open the catalog",
            reverse("catalog:products"),
            "tag",
        ),
    )
    found = queries.list_prices(
        request.actor,
        on=clock.today(),
        text=listing.text,
        filters=listing.filters,
        sort=listing.sort,
        offset=listing.offset,
        limit=listing.limit,
        language=display.language(),
    )
    if listing.export:
        return export.response(listing, found.rows, "prices")
    return page(request, "catalog/prices.html", {"listing": listing.filled(found.rows, count=found.count)})


@require_safe
def price(request: Request, price_id: UUID) -> HttpResponse:
    """A version with what it says, what quantities cost at it, and the other versions of the price."""
    on = clock.today()
    row = queries.get_price(request.actor, price_id, on=on, language=display.language())
    return page(request, "catalog/price.html", _price_context(request, row, on))


def _price_context(request: Request, row: Row, on: date, **more: Any) -> dict[str, Any]:
    versions = queries.versions_of(request.actor, row.id, on=on, language=display.language())
    is_open = any(one.state in ("offered", "planned") for one in versions)
    return {
        "price": row,
        "model_name": "" if row.closed else PriceModel(row.model).label,
        "billed_words": f"{interval_in_words(row.interval, row.count)}, {Billed(row.billed).label.lower()}",
        "tiers": _tiers(row),
        "amount": row.amount if row.closed or row.amount is None else _written(row.amount, row.currency),
        "versions": versions,
        "trial": _trial(row, request.GET.get("quantity", "")),
        "may_change": request.actor.may("catalog.change") and is_open,
        "retiring_from": max(on, versions[-1].valid_from).isoformat(),
        **more,
    }


def _tiers(row: Row) -> list[dict[str, Any]]:
    """The tiers, each with where it begins and what a unit costs in it as people read it."""
    if row.closed:
        return []
    limits = [tier["up_to"] for tier in row.tiers]
    return [
        tier | {"above": above, "costs": _written(tier["amount"], row.currency)}
        for tier, above in zip(row.tiers, [0, *limits], strict=False)
    ]


def _written(price: Decimal, currency: str) -> str:
    return formatted_price(price, currency, display.language())


def _trial(row: Row, quantity: str) -> Trial | None:
    if row.closed:
        return None
    return trial_of(Pricing(row.model, row.amount, row.per, tiers_from(row.tiers)), row.currency, quantity)


@require_POST
def preview(request: Request) -> HttpResponse:
    """What quantities would cost at the price in the form. Saves nothing."""
    typed = typed_price(request.POST, (*IDENTITY, *TERMS))
    return page(request, "catalog/trial.html", {"trial": typed_trial(typed, request.POST.get("quantity", ""))})


@require_http_methods(READ_OR_SAVE)
def new_price(request: Request, product_id: UUID) -> HttpResponse:
    product = queries.get_product(request.actor, product_id)
    names = (*IDENTITY, *TERMS, *DAYS)
    values: dict[str, Any] = {
        "key": product.code.lower(),
        "currency": product.currency,
        "model": "flat",
        "amount": product.unit_price,
        "tiers": NEW_TIERS,
        "count": 1,
        "interval": "month",
        "billed": "in_advance",
        "valid_from": clock.today(),
    }
    typed, refused = None, None
    if request.method == "POST":
        typed = typed_price(request.POST, names)
        try:
            wanted = {**as_values(typed), "product": str(product.id)}
            price_id = commands.add_price(actor=request.actor, values=wanted, on=clock.today())
        except Refusal as refusal:
            refused = refusal
        else:
            say(request, "The price is there.")
            return go(request, reverse("catalog:price", args=[price_id]))
    form = _form(request, values, typed, refused, names)
    trial = typed_trial(typed or values, request.POST.get("quantity", ""))
    context = {"form": form, "product": product, "trial": trial, "price": None}
    return page(request, "catalog/price_form.html", context, status=refused.status if refused else 200)


@require_http_methods(READ_OR_SAVE)
def change_price(request: Request, price_id: UUID) -> HttpResponse:
    """The next version, from a day on."""
    row = queries.get_price(request.actor, price_id, on=clock.today(), language=display.language())
    names = (*TERMS, "valid_from")
    first_day = max(clock.today(), row.valid_from)
    shown = as_shown({name: row[name] for name in TERMS if name not in row.closed}) | {"valid_from": first_day}
    if row.model not in TIERED:
        shown["tiers"] = NEW_TIERS
    typed, refused = None, None
    if request.method == "POST":
        typed = typed_price(request.POST, names)
        try:
            wanted = as_values(typed)
            on = day_from(wanted.pop("valid_from", ""))
            fresh = commands.change_price(
                actor=request.actor, price_id=row.id, values=wanted, on=on, version=version_from(request.POST)
            )
        except Refusal as refusal:
            refused = _on_valid_from(refusal)
        else:
            say(request, "The next version is there. Who holds an earlier one keeps it.")
            return go(request, reverse("catalog:price", args=[fresh]))
    form = _form(request, shown, typed, refused, names, version=row.version)
    trial = typed_trial({**(typed or shown), "currency": row.currency}, request.POST.get("quantity", ""))
    product = queries.get_product(request.actor, row.product)
    context = {"form": form, "product": product, "trial": trial, "price": row}
    return page(request, "catalog/price_form.html", context, status=refused.status if refused else 200)


@require_POST
def retire_price(request: Request, price_id: UUID) -> HttpResponse:
    row = queries.get_price(request.actor, price_id, on=clock.today(), language=display.language())
    try:
        on = day_from(request.POST.get("valid_from", ""))
        version = version_from(request.POST)
        commands.retire_price(actor=request.actor, price_id=row.id, on=on, version=version)
    except Refusal as refusal:
        typed = request.POST.get("valid_from", "")
        context = _price_context(request, row, clock.today(), retiring=refusal.message, retiring_from=typed)
        return page(request, "catalog/price.html", context, status=refusal.status)
    say(request, f"{row['key']} is offered until {display.day(on)}. Who holds it keeps it.")
    return go(request, reverse("catalog:product", args=[row.product]))


def _form(
    request: Request,
    values: Any,
    typed: Any,
    refused: Refusal | None,
    names: tuple[str, ...],
    version: int | None = None,
) -> Form:
    lists = [(row.id, row.title) for row in queries.list_price_lists(request.actor, clock.today())]
    return record_form(
        KEY,
        values=values,
        typed=typed,
        only=names,
        fields=price_fields(),
        problems=refused or (),
        options={"price_list": [("", "Everybody"), *lists]},
        writable=request.actor.writes if request.actor.may("catalog.change") else frozenset(),
        version=version,
    )


def _on_valid_from(refusal: Refusal) -> Refusal:
    """The refusal with the day of the change at the box where it was typed."""
    if refusal.field == "on":
        return type(refusal)(refusal.code, refusal.message, "valid_from")
    return refusal
