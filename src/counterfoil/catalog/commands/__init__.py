"""The verbs of products, prices and price lists."""

from __future__ import annotations

from counterfoil.catalog.commands.price_lists import add_price_list, change_price_list
from counterfoil.catalog.commands.prices import add_price, change_price, retire_price
from counterfoil.catalog.commands.products import add_product, change_product

__all__ = [
    "add_price",
    "add_price_list",
    "add_product",
    "change_price",
    "change_price_list",
    "change_product",
    "retire_price",
]
