"""Recurring lines of a deal as a subscription bills them, and back.

What is billed for a period equals the line to the cent. A price per unit after the discount does so while it can be
written exactly and its whole comes to an amount of the currency: then the quantity can change later and each unit keeps
its price. Otherwise every way to round the unit, or to spread a discount over a document, could miss the line by a
cent, so the whole line becomes one fee of exactly its net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal
from fractions import Fraction

from counterfoil.catalog.rules.pricing import FLAT, PER_UNIT, Pricing, price_of
from counterfoil.core.money import rounded
from counterfoil.core.periods import add_months
from counterfoil.deals.rules.amounts import PricedLine, line_net
from counterfoil.subscriptions.rules.agreement import Discount
from counterfoil.subscriptions.rules.grid import Interval

PRICE_DECIMALS, PERCENT_DECIMALS = 6, 4
EVERY = {"month": Interval("month"), "quarter": Interval("month", 3), "year": Interval("year")}
"""The intervals of a deal's lines as periods of a subscription."""
_NAMES = {1: "month", 3: "quarter", 12: "year"}
_EXACT = Context(prec=60)


@dataclass(frozen=True)
class Agreed:
    """So much at a price. ``description`` names the quantity where it became part of one fee."""

    description: str
    quantity: Decimal
    pricing: Pricing


def agreed(description: str, line: PricedLine, currency: str) -> Agreed:
    """What a subscription bills each period for a recurring line."""
    left = _EXACT.subtract(Decimal(100), line.discount_percent).scaleb(-2)
    unit = _EXACT.multiply(line.unit_price, left)
    whole = Fraction(unit) * Fraction(line.quantity)
    if _fits(unit, PRICE_DECIMALS) and Fraction(rounded(whole, currency).amount) == whole:
        return Agreed(description, line.quantity, Pricing(PER_UNIT, unit.normalize(_EXACT)))
    words = description if line.quantity == 1 else f"{plain_number(line.quantity)} × {description}"
    return Agreed(words, Decimal(1), Pricing(FLAT, line_net(line, currency).amount))


@dataclass(frozen=True)
class Offered:
    """What a renewal offers of an item that runs."""

    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    interval: str


def offered(pricing: Pricing, quantity: Decimal, interval: Interval, discounts: Sequence[Discount]) -> Offered | None:
    """The line that offers an item again; none when a line cannot say it.

    A line has months, quarters and years, one price per unit and one percentage; a price by tiers or packages is
    offered as its whole. Discounts that end or are amounts are not offered again.
    """
    name = _NAMES.get(interval.months)
    if name is None:
        return None
    left = Decimal(1)
    for discount in discounts:
        if discount.percent is not None and discount.is_for_ever:
            left = _EXACT.multiply(left, 1 - discount.percent.scaleb(-2))
    percent = _EXACT.multiply(1 - left, Decimal(100))
    if pricing.model in (FLAT, PER_UNIT) and pricing.amount is not None:
        unit = pricing.amount
    else:
        quantity, unit = Decimal(1), price_of(pricing, quantity)
    if not _fits(percent, PERCENT_DECIMALS) or not _fits(unit, PRICE_DECIMALS):
        return None
    return Offered(quantity, unit, percent, name)


def as_long_again(began: date, ended: date, start: date) -> date:
    """Where a term ends that begins at ``start`` and is as long as another: whole months, else days."""
    months = (ended.year - began.year) * 12 + ended.month - began.month
    if months > 0 and add_months(began, months) == ended:
        return add_months(start, months)
    return start + max(ended - began, timedelta())


def _fits(number: Decimal, decimals: int) -> bool:
    return number == round(number, decimals)


def plain_number(number: Decimal) -> str:
    """The number without zeros behind its last decimal."""
    return f"{number.normalize() + 0:f}"
