"""A subscription's discounts on the lines of one document.

Percentages first (multiplied), then amounts, never below zero; the rest is spread over the lines in proportion, and the
last line takes the remainder. Lines that adjust a period carry its percentages already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Context, Decimal

from counterfoil.core.money import Money
from counterfoil.invoicing.rules import discounts as document
from counterfoil.subscriptions.rules.agreement import RECURRING, USAGE, Agreement, Difference, Discount

_EXACT = Context(prec=120)
_SPREAD = (RECURRING, USAGE)


def factor(discounts: Iterable[Discount], ordinal: int) -> Decimal:
    """What is left of a price after the percentages that cover the period with this number."""
    left = Decimal(1)
    for discount in discounts:
        if discount.percent is not None and discount.covers(ordinal):
            left = _EXACT.multiply(left, Decimal(1) - discount.percent.scaleb(-2))
    return left


def discounted(agreement: Agreement, lines: Sequence[Difference]) -> list[Difference]:
    """The lines of one document after the discounts that cover their periods."""
    if not agreement.discounts:
        return list(lines)
    groups: dict[tuple[Discount, ...], list[int]] = {}
    for place, line in enumerate(lines):
        covering = tuple(one for one in agreement.discounts if one.covers(line.ordinal))
        if covering and line.kind in _SPREAD and line.net > 0:
            groups.setdefault(covering, []).append(place)
    done = list(lines)
    for covering, places in groups.items():
        amounts = [Money(lines[place].net, agreement.currency) for place in places]
        taken_off = [document.Discount(one.percent, one.amount) for one in covering]
        for place, net in zip(places, document.discounted(amounts, taken_off, agreement.currency), strict=True):
            done[place] = replace(lines[place], net=net.amount)
    return done
