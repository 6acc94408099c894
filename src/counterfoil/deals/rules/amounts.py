"""What a deal is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from counterfoil.core.money import Money, rounded, sum_of

ONE_OFF = "one_off"
INTERVALS = (ONE_OFF, "month", "quarter", "year")


@dataclass(frozen=True)
class PricedLine:
    """What counts for the price of a line. A recurring line counts with its first period."""

    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal = Decimal(0)


def line_net(line: PricedLine, currency: str) -> Money:
    """Quantity × unit price less the discount, rounded once, half away from zero."""
    exact = Fraction(line.quantity) * Fraction(line.unit_price) * (1 - Fraction(line.discount_percent) / 100)
    return rounded(exact, currency)


def deal_amount(lines: Iterable[PricedLine], currency: str) -> Money:
    """The sum of the lines as each is rounded."""
    return sum_of((line_net(line, currency) for line in lines), currency)


def sums_by_interval(lines: Iterable[tuple[str, PricedLine]], currency: str) -> dict[str, Money]:
    """What the lines come to, by how often they are billed, one-off first."""
    found: dict[str, Money] = {}
    for interval, line in lines:
        found[interval] = found.get(interval, Money.zero(currency)) + line_net(line, currency)
    return {interval: found[interval] for interval in INTERVALS if interval in found}


def weighted(amount: Money, probability: int) -> Money:
    """The amount times the probability of its stage, in percent."""
    return rounded(Fraction(amount.amount) * probability / 100, amount.currency)
