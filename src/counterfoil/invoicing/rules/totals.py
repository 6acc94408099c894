"""Totals of a document: nets per line, taxes per rate or per line, and what they sum to.

Per rate is EN 16931 (BR-CO-17): the base of a rate is the sum of its lines' rounded nets, and its tax is rounded once.
Per line rounds the tax of each line and sums. A price may include its tax: then the tax is taken out of what the lines
say, and the document's net and bases are without it. All rounding is half up, away from zero, to the currency's
decimals.
The worked tables stand in ``docs/concepts/totals-and-tax.md``; the tests read them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, Overflow
from fractions import Fraction

from counterfoil.core.money import Money, rounded
from counterfoil.invoicing.rules.discounts import Discount, discounted

PER_RATE, PER_LINE = "per_rate", "per_line"
HUNDRED = Decimal(100)
LARGEST = Decimal(10) ** 13
"""A line or a document of this size or more is no business of ours: it would not fit the books' columns."""

# Quantity × price × discount can have over 40 digits; the usual 28 would round before the one rounding that is meant.
_EXACT = Context(prec=80, traps=[InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class TaxKey:
    """What makes two lines share a tax subtotal: the UNTDID 5305 category, the rate in percent, and whether prices
    include it.
    """

    category: str
    percent: Decimal
    included: bool = False


@dataclass(frozen=True, slots=True)
class TotalsLine:
    """A line as arithmetic sees it. Where ``net`` is given, it is the line's amount, and the factors only explain.

    ``is_discountable`` is false for a line that takes back an issued one.
    """

    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    tax: TaxKey
    net: Decimal | None = None
    is_discountable: bool = True


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """The tax of one category and rate."""

    tax: TaxKey
    base: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Totals:
    """``line_nets`` are what the lines say, after discounts, in their order; ``full_nets`` what they said before.

    ``line_taxes`` only when tax is rounded per line. ``taxes`` stand by falling rate, then by category.
    """

    line_nets: tuple[Money, ...]
    full_nets: tuple[Money, ...]
    line_taxes: tuple[Money, ...] | None
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    total: Money


def full_price(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """What a line costs before its discount, exactly."""
    return _EXACT.multiply(quantity, unit_price)


def exact_net(quantity: Decimal, unit_price: Decimal, discount_percent: Decimal) -> Decimal:
    """What a line costs after its discount, exactly."""
    left = _EXACT.subtract(HUNDRED, discount_percent)
    return _EXACT.multiply(full_price(quantity, unit_price), left).scaleb(-2, context=_EXACT)


def line_net(line: TotalsLine, currency: str) -> Money:
    """The net that is given, or quantity × unit price less discount, rounded once."""
    if line.net is not None:
        return Money.exact(line.net, currency)
    return rounded(exact_net(line.quantity, line.unit_price, line.discount_percent), currency)


def line_tax_amount(net: Money, percent: Decimal) -> Money:
    """The tax on an amount without tax, rounded once."""
    return rounded(_EXACT.multiply(net.amount, percent).scaleb(-2, context=_EXACT), net.currency)


def included_tax_amount(gross: Money, percent: Decimal) -> Money:
    """The tax in an amount with tax, rounded once."""
    return rounded(Fraction(gross.amount) * Fraction(percent) / (100 + Fraction(percent)), gross.currency)


def tax_amount(said: Money, key: TaxKey) -> Money:
    """The tax on, or in, what lines of one kind of tax say."""
    return included_tax_amount(said, key.percent) if key.included else line_tax_amount(said, key.percent)


def too_large(lines: Sequence[TotalsLine]) -> int | None:
    """The place of the first line at which the document outgrows ``LARGEST``; none for every sane document."""
    sum_so_far = Decimal(0)
    for place, line in enumerate(lines):
        factors = exact_net(line.quantity, line.unit_price, line.discount_percent)
        sum_so_far += abs(factors if line.net is None else line.net)
        if sum_so_far >= LARGEST:
            return place
    return None


def invoice_totals(
    lines: Sequence[TotalsLine], currency: str, rounding: str, discounts: Sequence[Discount] = ()
) -> Totals:
    """All sums of a document. ``rounding`` is ``per_rate`` or ``per_line``. No lines give zeros."""
    if rounding not in (PER_RATE, PER_LINE):
        raise ValueError(rounding)
    zero = Money.zero(currency)
    full_nets = tuple(line_net(line, currency) for line in lines)
    nets = _after_discounts(lines, full_nets, discounts, currency)
    said: dict[TaxKey, Money] = {}
    for line, net in zip(lines, nets, strict=True):
        said[line.tax] = said.get(line.tax, zero) + net
    line_taxes = None
    if rounding == PER_LINE:
        line_taxes = tuple(tax_amount(net, line.tax) for line, net in zip(lines, nets, strict=True))
        amounts = dict.fromkeys(said, zero)
        for line, tax in zip(lines, line_taxes, strict=True):
            amounts[line.tax] += tax
    else:
        amounts = {key: tax_amount(sum_said, key) for key, sum_said in said.items()}
    taxes = tuple(
        TaxSubtotal(key, said[key] - amounts[key] if key.included else said[key], amounts[key])
        for key in sorted(said, key=lambda key: (-key.percent, key.category, key.included))
    )
    net = sum((subtotal.base for subtotal in taxes), zero)
    tax = sum((subtotal.amount for subtotal in taxes), zero)
    return Totals(nets, full_nets, line_taxes, taxes, net, tax, net + tax)


def _after_discounts(
    lines: Sequence[TotalsLine], nets: Sequence[Money], discounts: Sequence[Discount], currency: str
) -> tuple[Money, ...]:
    if not discounts:
        return tuple(nets)
    places = [place for place, line in enumerate(lines) if line.is_discountable]
    less = dict(zip(places, discounted([nets[place] for place in places], discounts, currency), strict=True))
    return tuple(less.get(place, net) for place, net in enumerate(nets))


def effective_discount(lines: Iterable[tuple[Decimal, Decimal, Decimal]]) -> Decimal:
    """The discount of all lines together in percent of what they would cost without any, to 4 decimals.

    Each line is its quantity, unit price and discount in percent.
    """
    full = less = Decimal(0)
    for quantity, unit_price, discount_percent in lines:
        price = full_price(quantity, unit_price)
        full = _EXACT.add(full, price)
        less = _EXACT.add(less, _EXACT.multiply(price, discount_percent))
    return _EXACT.divide(less, full).quantize(Decimal("0.0001"), context=_EXACT) if full else Decimal(0)
