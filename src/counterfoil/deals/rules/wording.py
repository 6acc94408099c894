"""Deals in words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from counterfoil.deals.rules.amounts import ONE_OFF, PricedLine, line_net

EVERY = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}


class _Line(Protocol):
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    interval: str


def recurring_notes(lines: Iterable[_Line], currency: str) -> str:
    """The recurring lines for the person who reviews the draft, one sentence each; empty when there are none."""
    return "\n".join(
        f"Recurring, not on this invoice: {plain_number(line.quantity)} × {line.description}, "
        f"{EVERY[line.interval]}, {line_net(_priced(line), currency)}"
        for line in lines
        if line.interval != ONE_OFF
    )


def _priced(line: _Line) -> PricedLine:
    return PricedLine(line.quantity, line.unit_price, line.discount_percent)


def plain_number(number: Decimal) -> str:
    """The number without zeros behind its last decimal."""
    return f"{number.normalize() + 0:f}"
