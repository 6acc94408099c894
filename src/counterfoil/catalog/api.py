"""The catalog on the API."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.projection import Row
from counterfoil.access.requests import Request
from counterfoil.catalog import commands, queries
from counterfoil.catalog.web.input import day_from, quantity_from
from counterfoil.core.errors import Refusal
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, page_of, schema_for
from counterfoil.surface.as_json import plain, row_json

router = Router()

PRODUCT, PRICE, PRICE_LIST = "catalog.product", "catalog.price", "catalog.price_list"


class ProductFilters(Paging):
    """Which products. ``q`` is looked for in names, codes and families."""

    q: str = SchemaField(default="", max_length=200)
    interval: str = SchemaField(default="", max_length=20)
    is_active: bool | None = None


@router.get("/products", response=page_of(PRODUCT), summary="List products")
def list_products(request: Request, paging: Query[ProductFilters]) -> Any:
    return paging.page(
        queries.products_after(
            request.actor,
            after=paging.after,
            take=paging.take,
            text=paging.q,
            interval=paging.interval,
            is_active=paging.is_active,
        )
    )


@router.post("/products", response={201: schema_for(PRODUCT)}, summary="Add a product")
def add_product(request: Request, values: schema_for(PRODUCT, "create")) -> Any:  # type: ignore[valid-type]
    product_id = commands.add_product(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_product(request.actor, product_id)))


@router.get("/products/{uuid:product_id}", response=schema_for(PRODUCT), summary="Get a product")
def get_product(request: Request, product_id: UUID) -> Any:
    return row_json(queries.get_product(request.actor, product_id))


@router.patch("/products/{uuid:product_id}", response=schema_for(PRODUCT), summary="Change a product")
def change_product(request: Request, product_id: UUID, values: schema_for(PRODUCT, "change")) -> Any:  # type: ignore[valid-type]
    """Deals and drafts that have the product on a line keep their price."""
    changes, version = values.change()
    commands.change_product(actor=request.actor, product_id=product_id, values=changes, version=version)
    return row_json(queries.get_product(request.actor, product_id))


# Prices ---------------------------------------------------------------------------------------------------------------


class PriceFilters(Paging):
    """Which versions. ``q`` is looked for in keys, products, lists and meters; ``state`` is that of today."""

    q: str = SchemaField(default="", max_length=200)
    product: UUID | None = None
    price_list: UUID | None = None
    key: str = SchemaField(default="", max_length=60)
    currency: str = SchemaField(default="", max_length=3)
    state: str = SchemaField(default="", max_length=20, description="offered, planned or past. Without it: all.")


class Offer(Schema):
    """For whom. Without an account and a tier the general prices are meant."""

    currency: str = SchemaField(max_length=3)
    account: UUID | None = None
    tier: str = SchemaField(default="", max_length=40)
    on: date | None = SchemaField(default=None, description="Without it: today.")


class Retirement(Order):
    on: date | None = SchemaField(
        default=None,
        description="The first day without an offer. Without it: today, or the first day of a price to come.",
    )
    version: int | None = None


class PartAnswer(Schema):
    quantity: str
    unit_price: str


class CostAnswer(Schema):
    """What a quantity costs: exact, not rounded to the currency."""

    quantity: str
    price: str
    unit_price: str = SchemaField(description="Of a quantity without a single unit price the mean, for reading only.")
    because: str
    parts: list[PartAnswer]


def _price(row: Row) -> dict[str, Any]:
    return row_json(row, product_title=row.product_title, words="" if row.closed else row.words)


def _one_price(request: Request, price_id: UUID) -> dict[str, Any]:
    return _price(queries.get_price(request.actor, price_id, on=clock.today()))


@router.get("/prices", response=page_of(PRICE), summary="List prices")
def list_prices(request: Request, paging: Query[PriceFilters]) -> Any:
    """Every version of every price. ``words`` says the price in one line."""
    rows = queries.prices_after(
        request.actor,
        on=clock.today(),
        after=paging.after,
        take=paging.take,
        text=paging.q,
        product=paging.product,
        price_list=paging.price_list,
        key=paging.key,
        currency=paging.currency,
        state=paging.state,
    )
    return paging.page(rows, _price)


@router.post("/prices", response={201: schema_for(PRICE)}, summary="Add a price")
def add_price(request: Request, values: schema_for(PRICE, "create")) -> Any:  # type: ignore[valid-type]
    """From ``valid_from`` on; without it, from today."""
    price_id = commands.add_price(actor=request.actor, values=values.values(), on=clock.today())
    return Status(201, _one_price(request, price_id))


@router.get("/prices/offered", response=list[dict[str, Any]], summary="The prices that an account gets")
def offered_prices(request: Request, offer: Query[Offer]) -> list[dict[str, Any]]:
    """Of each key one: of the account's own list, else of its tier's, else the general one."""
    rows = queries.offered_prices(
        request.actor,
        account_id=offer.account,
        tier=offer.tier,
        currency=offer.currency,
        on=offer.on or clock.today(),
    )
    return [_price(row) for row in rows]


@router.get("/prices/{uuid:price_id}", response=schema_for(PRICE), summary="Get a price")
def get_price(request: Request, price_id: UUID) -> Any:
    return _one_price(request, price_id)


@router.get("/prices/{uuid:price_id}/versions", response=list[schema_for(PRICE)], summary="List versions of a price")  # type: ignore[misc]
def versions_of(request: Request, price_id: UUID) -> Any:
    """All versions of the price of which one is named, the latest first."""
    return [_price(row) for row in queries.versions_of(request.actor, price_id, on=clock.today())]


@router.post("/prices/{uuid:price_id}/versions", response={201: schema_for(PRICE)}, summary="Change a price")
def change_price(request: Request, price_id: UUID, values: schema_for(PRICE, "change")) -> Any:  # type: ignore[valid-type]
    """Makes the next version, from ``valid_from`` on; without it, from today. Who holds an earlier version keeps it."""
    changes, version = values.change()
    on = day_from(changes.pop("valid_from", None), otherwise=clock.today())
    fresh = commands.change_price(actor=request.actor, price_id=price_id, values=changes, on=on, version=version)
    return Status(201, _one_price(request, fresh))


@router.post("/prices/{uuid:price_id}/retire", response=list[schema_for(PRICE)], summary="Retire a price")  # type: ignore[misc]
def retire_price(request: Request, price_id: UUID, retirement: Retirement | None = None) -> Any:
    """Offers it no more, nor what was planned after it. Answers the versions that are left, the latest first."""
    row = queries.get_price(request.actor, price_id, on=clock.today())
    on = retirement.on if retirement else None
    if on is None:
        on = max(clock.today(), queries.versions_of(request.actor, price_id, on=clock.today())[-1].valid_from)
    commands.retire_price(
        actor=request.actor, price_id=price_id, on=on, version=retirement.version if retirement else None
    )
    left = queries.prices_of_product(request.actor, row.product, on=clock.today())
    same = ("key", "currency", "price_list")
    return [_price(one) for one in left if all(one[name] == row[name] for name in same)]


@router.get("/prices/{uuid:price_id}/cost", response=CostAnswer, summary="What a quantity costs")
def cost_of(request: Request, price_id: UUID, quantity: str) -> Any:
    wanted = quantity_from(quantity)
    if wanted is None:
        raise Refusal("missing", "Say which quantity.", "quantity")
    cost = queries.cost_of(request.actor, price_id, wanted)
    return {
        "quantity": plain(cost.quantity),
        "price": plain(cost.price),
        "unit_price": plain(cost.unit_price),
        "because": cost.because,
        "parts": [{"quantity": plain(part.quantity), "unit_price": plain(part.unit_price)} for part in cost.parts],
    }


# Price lists ----------------------------------------------------------------------------------------------------------


@router.get("/price-lists", response=page_of(PRICE_LIST), summary="List price lists")
def list_price_lists(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.price_lists_after(request.actor, after=paging.after, take=paging.take))


@router.post("/price-lists", response={201: schema_for(PRICE_LIST)}, summary="Add a price list")
def add_price_list(request: Request, values: schema_for(PRICE_LIST, "create")) -> Any:  # type: ignore[valid-type]
    price_list_id = commands.add_price_list(actor=request.actor, values=values.values())
    return Status(201, row_json(queries.get_price_list(request.actor, price_list_id)))


@router.get("/price-lists/{uuid:price_list_id}", response=schema_for(PRICE_LIST), summary="Get a price list")
def get_price_list(request: Request, price_list_id: UUID) -> Any:
    return row_json(queries.get_price_list(request.actor, price_list_id))


@router.patch("/price-lists/{uuid:price_list_id}", response=schema_for(PRICE_LIST), summary="Change a price list")
def change_price_list(request: Request, price_list_id: UUID, values: schema_for(PRICE_LIST, "change")) -> Any:  # type: ignore[valid-type]
    """Who holds a price of the list keeps it."""
    changes, version = values.change()
    commands.change_price_list(actor=request.actor, price_list_id=price_list_id, values=changes, version=version)
    return row_json(queries.get_price_list(request.actor, price_list_id))
