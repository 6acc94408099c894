"""Totals of a document: nets per line, taxes per rate or per line, and what they sum to.

Per rate is EN 16931 (BR-CO-17): the base of a rate is the sum of its lines' rounded nets, and its tax is rounded once.
Per line rounds each tax of each line and sums. A line may bear several taxes, each on the same net. A price may include
taxes: then they are taken out of what the lines say, and the document's net and bases are without them. All rounding is
half up, away from zero, to the currency's decimals.
The worked tables stand in ``docs/concepts/totals-and-tax.md``; the tests read them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from counterfoil.core.money import Money, rounded
from counterfoil.invoicing.rules.discounts import Discount, discounted

PER_RATE, PER_LINE = "per_rate", "per_line"
HUNDRED = Decimal(100)
LARGEST = Decimal(10) ** 13
"""A line or a document of this size or more is no business of ours: it would not fit the books' columns."""

# Quantity × price × discount can have over 40 digits; the usual 28 would round before the one rounding that is meant.
_EXACT = Context(prec=80, traps=[InvalidOperation, Overflow])


class TaxKey(NamedTuple):
    """What makes two lines share a tax subtotal: the UNTDID 5305 category, the rate in percent, and whether prices
    include it. ``again`` tells apart what one line bears twice, such as CGST 9 % and SGST 9 %: it is 1 of the second.
    """

    category: str
    percent: Decimal
    included: bool = False
    again: int = 0


Borne = tuple[TaxKey, ...]
"""The taxes of a line, each once, in the order in which they stand on it."""


def borne(kinds: Sequence[tuple[str, Decimal, bool]]) -> Borne:
    """The taxes of a line from the category, percent and inclusion of each."""
    return tuple([TaxKey(*kind, kinds[:place].count(kind)) for place, kind in enumerate(kinds)])


class TotalsLine(NamedTuple):
    """A line as arithmetic sees it. Where ``net`` is given, it is the line's amount, and the factors only explain.

    ``is_discountable`` is false for a line that takes back an issued one.
    """

    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal
    taxes: Borne
    net: Decimal | None = None
    is_discountable: bool = True


class TaxSubtotal(NamedTuple):
    """The tax of one category and rate. Where lines bear several taxes, the bases of these overlap."""

    tax: TaxKey
    base: Money
    amount: Money


class Totals(NamedTuple):
    """``line_nets`` are what the lines say, after discounts, in their order; ``full_nets`` what they said before.

    ``line_taxes``, those of each line in their order, only when tax is rounded per line. ``taxes`` stand by falling
    rate, then by category.
    """

    line_nets: tuple[Money, ...]
    full_nets: tuple[Money, ...]
    line_taxes: tuple[tuple[Money, ...], ...] | None
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


def exact_tax(said: Money, key: TaxKey, taxes: Borne) -> Fraction:
    """One of the taxes on, or in, what a line says, before any rounding.

    Each tax is on the same net, and what the line says is that net with the taxes that its price includes.
    """
    return Fraction(said.amount) * Fraction(key.percent) / (100 + included_percent(taxes))


def included_percent(taxes: Borne) -> Fraction:
    """The rates of those taxes that the price includes, together."""
    return sum((Fraction(key.percent) for key in taxes if key.included), Fraction(0))


def tax_on(net: Money, percent: Decimal) -> Money:
    """The tax on an amount without tax, rounded once."""
    return rounded(_EXACT.multiply(net.amount, percent).scaleb(-2, context=_EXACT), net.currency)


def taxes_of(said: Money, taxes: Borne) -> tuple[Money, ...]:
    """The taxes on, or in, what one line says, each rounded by itself, in their order.

    One that the price does not include is on what is left when those that it includes are taken out.
    """
    found = {key: rounded(exact_tax(said, key, taxes), said.currency) for key in taxes if key.included}
    net = said
    for amount in found.values():
        net -= amount
    return tuple([found[key] if key.included else tax_on(net, key.percent) for key in taxes])


def too_large(lines: Sequence[TotalsLine]) -> int | None:
    """The place of the first line at which the document outgrows ``LARGEST``; none for every sane document."""
    sum_so_far = Decimal(0)
    for place, line in enumerate(lines):
        net = exact_net(line.quantity, line.unit_price, line.discount_percent) if line.net is None else line.net
        sum_so_far += abs(net)
        if sum_so_far >= LARGEST:
            return place
    return None


def invoice_totals(
    lines: Sequence[TotalsLine], currency: str, rounding: str, discounts: Sequence[Discount] = ()
) -> Totals:
    """All sums of a document. ``rounding`` is ``per_rate`` or ``per_line``. No lines give zeros."""
    if rounding not in (PER_RATE, PER_LINE):
        raise ValueError(rounding)
    totals = _totals(tuple(lines), currency, rounding, tuple(discounts))
    # Equal rates may be written with other zeros: the document's own stand on it.
    own = {key: key for line in reversed(lines) for key in reversed(line.taxes)}
    return totals._replace(taxes=tuple([one._replace(tax=own[one.tax]) for one in totals.taxes]))


@lru_cache(maxsize=4096)
def _totals(lines: tuple[TotalsLine, ...], currency: str, rounding: str, discounts: tuple[Discount, ...]) -> Totals:
    """Many documents of a billing run say the same, and are worked out once."""
    zero = Money.zero(currency)
    full_nets = tuple(line_net(line, currency) for line in lines)
    nets = _after_discounts(lines, full_nets, discounts, currency)
    said: dict[Borne, Money] = {}
    for line, net in zip(lines, nets, strict=True):
        kind = _in_order(line.taxes)
        said[kind] = said.get(kind, zero) + net
    line_taxes = None
    if rounding == PER_LINE:
        line_taxes = tuple([taxes_of(net, line.taxes) for line, net in zip(lines, nets, strict=True)])
        without, amounts = _per_line(lines, line_taxes, said)
    else:
        without, amounts = _per_rate(said, currency)
    bases: dict[TaxKey, Money] = {}
    for kind, net in without.items():
        for key in kind:
            bases[key] = bases[key] + net if key in bases else net
    keys = sorted(amounts, key=_by_rate) if len(amounts) > 1 else amounts
    taxes = tuple([TaxSubtotal(key, bases[key], amounts[key]) for key in keys])
    net, tax = sum(without.values(), zero), sum(amounts.values(), zero)
    return Totals(nets, full_nets, line_taxes, taxes, net, tax, net + tax)


def _by_rate(key: TaxKey) -> tuple[Decimal, str, bool, int]:
    return -key.percent, key.category, key.included, key.again


def _in_order(taxes: Borne) -> Borne:
    """The same for all lines that bear the same taxes, in whichever order."""
    return tuple(sorted(taxes)) if len(taxes) > 1 else taxes


def _per_line(
    lines: Sequence[TotalsLine], line_taxes: Sequence[Sequence[Money]], said: Mapping[Borne, Money]
) -> tuple[dict[Borne, Money], dict[TaxKey, Money]]:
    """What the lines of each kind come to without tax, and the tax of each rate: the sums of the lines' own."""
    without = dict(said)
    amounts: dict[TaxKey, Money] = {}
    for line, own in zip(lines, line_taxes, strict=True):
        for key, tax in zip(line.taxes, own, strict=True):
            amounts[key] = amounts[key] + tax if key in amounts else tax
            if key.included:
                without[_in_order(line.taxes)] -= tax
    return without, amounts


def _per_rate(said: Mapping[Borne, Money], currency: str) -> tuple[dict[Borne, Money], dict[TaxKey, Money]]:
    """The same with the tax of each rate rounded once, over all kinds of lines that bear it, alone or beside others.

    Each kind takes its part of a rate that is in the price, rounded, the last one what is left.
    """
    without = dict(said)
    amounts: dict[TaxKey, Money] = {}
    kinds: dict[TaxKey, list[Borne]] = {}
    for kind in said if len(said) == 1 else sorted(said):
        for key in kind:
            kinds.setdefault(key, []).append(kind)
    for key, bearing in kinds.items():
        if key.included:
            exact = [exact_tax(said[kind], key, kind) for kind in bearing]
            left = amounts[key] = rounded(sum(exact, Fraction(0)), currency)
            for kind, part in zip(bearing[:-1], exact[:-1], strict=True):
                share = rounded(part, currency)
                without[kind] -= share
                left -= share
            without[bearing[-1]] -= left
    for key, bearing in kinds.items():
        if not key.included:
            base = without[bearing[0]]
            for kind in bearing[1:]:
                base += without[kind]
            amounts[key] = tax_on(base, key.percent)
    return without, amounts


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
