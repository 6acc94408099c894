"""Products, prices and price lists, as an actor may see them."""

from __future__ import annotations

from counterfoil.catalog.queries.price_lists import get_price_list, list_price_lists, price_lists_after
from counterfoil.catalog.queries.prices import (
    Cost,
    cost,
    cost_of,
    get_price,
    list_prices,
    offered_prices,
    prices_after,
    prices_for,
    prices_of_product,
    versions_of,
)
from counterfoil.catalog.queries.products import Found, get_product, list_products, products_after, products_by_id

__all__ = [
    "Cost",
    "Found",
    "cost",
    "cost_of",
    "get_price",
    "get_price_list",
    "get_product",
    "list_price_lists",
    "list_prices",
    "list_products",
    "offered_prices",
    "price_lists_after",
    "prices_after",
    "prices_for",
    "prices_of_product",
    "products_after",
    "products_by_id",
    "versions_of",
]
