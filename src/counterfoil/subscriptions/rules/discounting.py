"""A subscription's discounts on the lines of one document.

Percentages first (multiplied), then amounts, never below zero; the rest is spread over the lines in proportion, and the
last line takes the remainder. Lines that adjust a period carry its percentages already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Context, Decimal
from fractions import Fraction

from counterfoil.core.money import rounded
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
        nets = spread([lines[place].net for place in places], covering, agreement.currency)
        for place, net in zip(places, nets, strict=True):
            done[place] = replace(lines[place], net=net)
    return done


def spread(amounts: Sequence[Decimal], discounts: Sequence[Discount], currency: str) -> list[Decimal]:
    """Positive amounts less the discounts, in proportion; the last takes what is left over by rounding."""
    whole = sum(amounts, Decimal(0))
    rest = rounded(_EXACT.multiply(whole, factor(discounts, 0)), currency).amount
    rest = max(rest - sum((one.amount for one in discounts if one.amount is not None), Decimal(0)), Decimal(0))
    if not whole:
        return list(amounts)
    parts = [rounded(Fraction(rest) * Fraction(amount) / Fraction(whole), currency).amount for amount in amounts[:-1]]
    return [*parts, rest - sum(parts, Decimal(0))]
