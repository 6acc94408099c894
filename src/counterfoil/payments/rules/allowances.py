"""An early payment's allowance by tax rate: it lowers net and tax as the invoice had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from counterfoil.core.money import Money, rounded, sum_of


@dataclass(frozen=True, slots=True)
class TaxedPart:
    """What an allowance takes off of one tax category and rate."""

    category: str
    percent: Decimal
    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class Taxed:
    """What an invoice has of lines that bear the same taxes: those by category and percent, and what they come to with
    them. The taxes are on the same net.
    """

    rates: tuple[tuple[str, Decimal], ...]
    gross: Fraction


def allowance_by_rate(allowance: Money, taxed: Sequence[Taxed]) -> tuple[TaxedPart, ...]:
    """The allowance over the lines of an invoice in proportion to what they have with tax, to the cent.

    Of each part, the shares of its rates are tax, and the rest is net: that of the first of its rates where it has
    several. A rate that gets nothing is left out.
    """
    currency, zero = allowance.currency, Money.zero(allowance.currency)
    gross: dict[tuple[tuple[str, Decimal], ...], Fraction] = {}
    for one in taxed:
        gross[one.rates] = gross.get(one.rates, Fraction(0)) + one.gross
    found: dict[tuple[str, Decimal], tuple[Money, Money]] = {}
    for rates, part in zip(gross, allowance.allocate(list(gross.values())), strict=True):
        whole = 100 + sum((Fraction(percent) for _, percent in rates), Fraction(0))
        taxes = [rounded(Fraction(part.amount) * Fraction(percent) / whole, currency) for _, percent in rates]
        net = part - sum_of(taxes, currency)
        for rate, tax in zip(rates, taxes, strict=True):
            before = found.get(rate, (zero, zero))
            found[rate] = (before[0] + net, before[1] + tax)
            net = zero
    parts = (TaxedPart(*rate, *sums) for rate, sums in found.items())
    return tuple(one for one in parts if one.gross)
