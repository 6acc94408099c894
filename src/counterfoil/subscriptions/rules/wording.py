"""How a line says what it bills and how its amount came about."""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.catalog.rules.pricing import explain
from counterfoil.core.money import currency_decimals
from counterfoil.subscriptions.rules.agreement import USAGE, Difference, Item
from counterfoil.subscriptions.rules.grid import FIXED_30, SECONDS

WHY_MAX = 300
LEFT_OUT = "…"
_PLUS = " + "


def why(difference: Difference, item: Item, basis: str, currency: str) -> str:
    """The arithmetic of a line: "17 of 31 days × 1 × 100.00". Of more tiers than can be kept the middle is left out:
    "1,000 × 0.01 + … + 500 × 0.005". ``documents.reasons`` reads it again, so it is never cut elsewhere.
    """
    decimals = currency_decimals(currency)
    quantity = abs(difference.quantity)
    terms = explain(item.pricing_of(difference.cell), quantity, decimals=decimals).split(_PLUS)
    words = _said(terms, difference, basis)
    kept = len(terms)
    while len(words) > WHY_MAX and kept > 2:
        kept -= 1
        words = _said([*terms[: kept - 1], LEFT_OUT, terms[-1]], difference, basis)
    return words


def _said(terms: Sequence[str], difference: Difference, basis: str) -> str:
    price = f"({_PLUS.join(terms)})" if len(terms) > 1 else terms[0]
    words = price
    share = difference.share
    if difference.kind != USAGE and share.part != share.whole:
        words = f"{share.part:,} of {share.whole:,} {_unit(basis)} × {price}"
    if difference.is_credit:
        words = f"not used: {words}"
    if difference.net != difference.before_discount:
        words += f" = {difference.before_discount:,f}, less discount"
    return words


def _unit(basis: str) -> str:
    return "seconds" if basis == SECONDS else "days (30/360)" if basis == FIXED_30 else "days"
