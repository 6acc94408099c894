"""An early payment's allowance by tax rate: it lowers net and tax as the invoice had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from counterfoil.core.money import Money, rounded


@dataclass(frozen=True, slots=True)
class TaxedPart:
    """What an invoice has, or an allowance takes off, of one tax category and rate."""

    category: str
    percent: Decimal
    net: Money
    tax: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax


def allowance_by_rate(allowance: Money, taxed: Sequence[TaxedPart]) -> tuple[TaxedPart, ...]:
    """The allowance over the rates of an invoice in proportion to what each has with tax, to the cent.

    Of each part, its rate's share is tax. A rate that gets nothing is left out.
    """
    parts = allowance.allocate([one.gross.amount for one in taxed])
    found = []
    for one, part in zip(taxed, parts, strict=True):
        tax = rounded(Fraction(part.amount) * Fraction(one.percent) / (100 + Fraction(one.percent)), part.currency)
        found.append(TaxedPart(one.category, one.percent, part - tax, tax))
    return tuple(one for one in found if one.gross)
