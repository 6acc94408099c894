"""How a line says what it bills and how its amount came about."""

from __future__ import annotations

from counterfoil.catalog.rules.pricing import explain
from counterfoil.core.money import currency_decimals
from counterfoil.subscriptions.rules.agreement import USAGE, Difference, Item
from counterfoil.subscriptions.rules.grid import FIXED_30, SECONDS

WHY_MAX = 300


def why(difference: Difference, item: Item, basis: str, currency: str) -> str:
    """The arithmetic of a line: "17 of 31 days × 1 × 100.00"."""
    decimals = currency_decimals(currency)
    quantity = abs(difference.quantity)
    price = explain(item.pricing_of(difference.cell), quantity, decimals=decimals)
    if " + " in price:
        price = f"({price})"
    words = price
    share = difference.share
    if difference.kind != USAGE and share.part != share.whole:
        words = f"{share.part:,} of {share.whole:,} {_unit(basis)} × {price}"
    if difference.is_credit:
        words = f"not used: {words}"
    if difference.net != difference.before_discount:
        words += f" = {difference.before_discount:,f}, less discount"
    return words[:WHY_MAX]


def _unit(basis: str) -> str:
    return "seconds" if basis == SECONDS else "days (30/360)" if basis == FIXED_30 else "days"
