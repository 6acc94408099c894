"""The catalog on the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import Query, Router, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.catalog import commands, queries
from counterfoil.surface.api import Paging, page_of, row_json, schema_for

router = Router()

PRODUCT = "catalog.product"


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
