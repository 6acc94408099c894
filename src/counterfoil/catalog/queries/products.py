"""Products, as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.catalog.models import Product
from counterfoil.core.text import plain
from counterfoil.plumbing.record_types import record_type

KEY = "catalog.product"
WORDS_MAX = 8
_SORTS = {"name": "normalised_name", "code": "code", "unit_price": "unit_price", "family": "family"}
_FILTERS = ("code", "interval", "tax_class", "is_active", "currency", "family")


@dataclass(frozen=True)
class Found:
    """A page of products and how many there are in all."""

    rows: list[Row]
    count: int


def list_products(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "name",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Products by name. What an actor may not read neither filters nor sorts, or it would tell."""
    products = _matching(actor, text, filters or {})
    name = sort.lstrip("-")
    column = _SORTS[name] if name in _SORTS and _is_open(actor, name) else "normalised_name"
    products = products.order_by(f"{'-' if sort.startswith('-') else ''}{column}", "id")
    return Found(project(actor, KEY, products[offset : offset + limit]), products.count())


def products_after(actor: Actor, *, after: UUID | None, take: int, text: str = "", **filters: Any) -> list[Row]:
    """Products with an id above ``after``, in the order of their ids: a page by cursor."""
    products = _matching(actor, text, {name: [value] for name, value in filters.items() if value not in (None, "")})
    if after is not None:
        products = products.filter(id__gt=after)
    return project(actor, KEY, list(products.order_by("id")[:take]))


def _matching(actor: Actor, text: str, filters: Mapping[str, Any]) -> QuerySet[Product]:
    products = Product.objects.all()
    for name, value in filters.items():
        if name in _FILTERS and _is_open(actor, name):
            products = products.filter(**{f"{name}__in": value})
    for word in text.split()[:WORDS_MAX]:
        named = Q(name__icontains=word) | Q(code__icontains=word) | Q(family__icontains=word)
        products = products.filter(named | Q(normalised_name__contains=plain(word)))
    return products


def _is_open(actor: Actor, name: str) -> bool:
    return record_type(KEY).by_id[name].group in actor.reads


def get_product(actor: Actor, product_id: UUID) -> Row:
    """One product; raises ``NotFound``."""
    return project_one(actor, KEY, Product.objects.filter(id=product_id).first())


def products_by_id(product_ids: Iterable[UUID]) -> dict[UUID, Product]:
    """Products as other rooms' commands need them, never for output."""
    return Product.objects.in_bulk(set(product_ids))
