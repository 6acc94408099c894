"""What can be sold, as an actor may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.catalog.models import Product
from counterfoil.core.text import normalised_name

KEY = "catalog.product"
_SORTS = {"name": "normalised_name", "code": "code", "unit_price": "unit_price", "family": "family"}


@dataclass(frozen=True)
class Found:
    """A page of products and how many there are in all."""

    rows: list[Row]
    count: int


def list_products(
    actor: Actor, *, text: str = "", filters: Mapping[str, Any] | None = None, sort: str = "name", offset: int = 0,
    limit: int = 50,
) -> Found:  # fmt: skip
    """Products by name."""
    products = Product.objects.all()
    for name, value in (filters or {}).items():
        if name in ("interval", "tax_class"):
            products = products.filter(**{f"{name}__in": value})
        elif name == "is_active":
            products = products.filter(is_active__in=value)
    if text:
        products = products.filter(Q(normalised_name__contains=normalised_name(text)) | Q(code__istartswith=text))
    order = _SORTS.get(sort.lstrip("-"), "normalised_name")
    products = products.order_by(f"{'-' if sort.startswith('-') else ''}{order}", "id")
    return Found(project(actor, KEY, products[offset : offset + limit]), products.count())


def products_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Products with an id above ``after``, in the order of their ids: a page by cursor."""
    products = Product.objects.filter(id__gt=after) if after is not None else Product.objects.all()
    return project(actor, KEY, list(products.order_by("id")[:take]))


def get_product(actor: Actor, product_id: UUID) -> Row:
    """One product; raises ``NotFound``."""
    return project_one(actor, KEY, Product.objects.filter(id=product_id).first())


def products_by_id(product_ids: Iterable[UUID]) -> dict[UUID, Product]:
    """Products as other rooms' commands need them, never for output."""
    return Product.objects.in_bulk(set(product_ids))
