"""Discounts on a whole document: percentages first, then amounts, spread over its lines.

The worked table stands in ``docs/concepts/totals-and-tax.md``; a test reads it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from counterfoil.core.money import Money, rounded, sum_of


@dataclass(frozen=True, slots=True)
class Discount:
    """So many percent or so much money off a document: one of the two. An amount is in the document's currency."""

    percent: Decimal | None = None
    amount: Decimal | None = None

    @property
    def is_possible(self) -> bool:
        """Whether one of the two is given, and is neither below zero nor more than everything."""
        if (self.percent is None) == (self.amount is None):
            return False
        return 0 <= self.percent <= 100 if self.percent is not None else self.amount is not None and self.amount >= 0


def discount_total(whole: Money, discounts: Sequence[Discount]) -> Money:
    """What the discounts take off ``whole``: percentages multiplied, then amounts; never more than there is."""
    left = Fraction(whole.amount)
    if left <= 0:
        return Money.zero(whole.currency)
    for discount in discounts:
        if discount.percent is not None:
            left *= 1 - Fraction(discount.percent) / 100
    for discount in discounts:
        if discount.amount is not None:
            left -= Fraction(discount.amount)
    return whole - rounded(max(left, Fraction(0)), whole.currency)


def discounted(nets: Sequence[Money], discounts: Sequence[Discount], currency: str) -> tuple[Money, ...]:
    """The lines' amounts after the discounts, spread in proportion; the last line takes the remainder."""
    whole = sum_of(nets, currency)
    taken = discount_total(whole, discounts)
    if not taken:
        return tuple(nets)
    parts = [
        rounded(Fraction(taken.amount) * Fraction(net.amount) / Fraction(whole.amount), currency) for net in nets[:-1]
    ]
    parts.append(taken - sum_of(parts, currency))
    return tuple(net - part for net, part in zip(nets, parts, strict=True))
