"""Totals of a document: nets per line, taxes per rate or per line, and what they sum to.

Per rate is EN 16931 (BR-CO-17): the base of a rate is the sum of its lines' rounded nets, and its tax is rounded
once. Per line rounds the tax of each line and sums. All rounding is half up, away from zero, to the currency's
decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from counterfoil.core.money import Money, rounded

HUNDRED = Decimal(100)


@dataclass(frozen=True)
class TaxKey:
    """What makes two lines share a tax subtotal: the UNTDID 5305 category and the rate in percent."""

    category: str
    percent: Decimal


@dataclass(frozen=True)
class TotalsLine:
    """A line as arithmetic sees it."""

    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    tax: TaxKey


@dataclass(frozen=True)
class TaxSubtotal:
    """The tax of one category and rate."""

    tax: TaxKey
    base: Money
    amount: Money


@dataclass(frozen=True)
class Totals:
    """``line_nets`` in the order of the lines; ``line_taxes`` only when tax is rounded per line."""

    line_nets: tuple[Money, ...]
    line_taxes: tuple[Money, ...] | None
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    total: Money


def line_net(line: TotalsLine, currency: str) -> Money:
    """Quantity × unit price less discount, rounded once."""
    return rounded(line.quantity * line.unit_price * (HUNDRED - line.discount_percent) / HUNDRED, currency)


def invoice_totals(lines: Sequence[TotalsLine], currency: str, rounding: str) -> Totals:
    """All sums of a document. ``rounding`` is ``per_rate`` or ``per_line``. No lines give zeros."""
    if rounding not in ("per_rate", "per_line"):
        raise ValueError(rounding)
    zero = Money.zero(currency)
    nets = tuple(line_net(line, currency) for line in lines)
    bases: dict[TaxKey, Money] = {}
    for line, net in zip(lines, nets, strict=True):
        bases[line.tax] = bases.get(line.tax, zero) + net
    line_taxes = None
    if rounding == "per_line":
        line_taxes = tuple(_tax(net, line.tax) for line, net in zip(lines, nets, strict=True))
        amounts = dict.fromkeys(bases, zero)
        for line, tax in zip(lines, line_taxes, strict=True):
            amounts[line.tax] += tax
    else:
        amounts = {key: _tax(base, key) for key, base in bases.items()}
    subtotals = tuple(
        TaxSubtotal(key, bases[key], amounts[key])
        for key in sorted(bases, key=lambda key: (-key.percent, key.category))
    )
    net = sum((subtotal.base for subtotal in subtotals), zero)
    tax = sum((subtotal.amount for subtotal in subtotals), zero)
    return Totals(nets, line_taxes, subtotals, net, tax, net + tax)


def _tax(base: Money, key: TaxKey) -> Money:
    return rounded(base.amount * key.percent / HUNDRED, base.currency)
