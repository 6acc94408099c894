"""An early payment's allowance: it lowers net and tax as the invoice has them, rate by rate and line by line.

The worked tables stand in ``docs/concepts/terms.md``; the tests read them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from counterfoil.core.money import Money, rounded, sum_of
from counterfoil.invoicing.rules.crediting import Creditable, Rate
from counterfoil.invoicing.rules.totals import Borne, TaxKey, exact_tax, included_percent


class LinePart(NamedTuple):
    """What an allowance takes off a line at one of its taxes: ``tax`` of that, and at the first one alone ``said``, in
    the line's own terms, and ``net``, which is without any tax.
    """

    line_id: UUID
    key: TaxKey
    said: Money
    net: Money
    tax: Money


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


def allowance_by_line(
    allowance: Money, lines: Sequence[Creditable], rate_taxes: Mapping[Rate, Money]
) -> tuple[LinePart, ...]:
    """The allowance over the lines of an invoice in proportion to what they have with tax on it, to the cent.

    What credit notes and earlier allowances took off is not there any more; what a later invoice takes back of a line
    is still on this one. First it is split by what bears the same taxes: of each part, the shares of its rates are tax,
    and the rest is net. Then each is spread over the lines, in proportion. ``rate_taxes`` as ``credit_taxes`` has them.
    """
    groups: dict[Borne, list[Creditable]] = {}
    for line in lines:
        groups.setdefault(tuple(sorted(line.taxes)), []).append(line)
    if all(len(taxes) == 1 for taxes in groups):
        groups = dict(sorted(groups.items(), key=lambda each: (-each[0][0].percent, each[0][0].category)))
        weights = [_with_tax(key, same, rate_taxes) for (key,), same in groups.items()]
    else:
        weights = [_borne_with_tax(taxes, same) for taxes, same in groups.items()]
    left = {rate[1]: _tax_stands(rate[1], lines, rate_taxes) for rate in rate_taxes if rate[0] == lines[0].invoice_id}
    found: list[LinePart] = []
    for (taxes, same), part in zip(groups.items(), allowance.allocate(weights), strict=True):
        made = _over_lines(part, taxes, same, left) if part else []
        for one in made:
            left[one.key] -= one.tax
        found += made
    return tuple(found)


def by_rate(parts: Iterable[LinePart]) -> tuple[TaxedPart, ...]:
    """The parts of an allowance by tax category and rate; a rate that gets nothing is left out."""
    found: dict[tuple[str, Decimal], TaxedPart] = {}
    for one in parts:
        rate = (one.key.category, one.key.percent)
        before = found.get(rate)
        net, tax = (before.net + one.net, before.tax + one.tax) if before is not None else (one.net, one.tax)
        found[rate] = TaxedPart(*rate, net, tax)
    return tuple(one for one in found.values() if one.gross)


def _stands(line: Creditable) -> Money:
    """What the line still has on its own invoice."""
    return line.said - line.noted - line.allowed


def _tax_stands(key: TaxKey, lines: Sequence[Creditable], rate_taxes: Mapping[Rate, Money]) -> Money:
    """The tax of a rate that can still be taken off the lines that bear it."""
    whole = rate_taxes[lines[0].invoice_id, key]
    places = [(line, line.taxes.index(key)) for line in lines if key in line.taxes and not line.takes_back]
    return whole - sum_of(
        (line.taxes_noted[place] + line.taxes_allowed[place] for line, place in places), whole.currency
    )


def _with_tax(key: TaxKey, lines: Sequence[Creditable], rate_taxes: Mapping[Rate, Money]) -> Fraction:
    """What the only tax of lines and these come to: what the invoice says, less what was taken off."""
    currency = lines[0].said.currency
    stands = sum_of((_stands(line) for line in lines), currency)
    if key.included:
        return Fraction(stands.amount)
    back = sum((exact_tax(line.said, key, line.taxes) for line in lines if line.takes_back), Fraction(0))
    return Fraction((stands + _tax_stands(key, lines, rate_taxes) + rounded(back, currency)).amount)


def _borne_with_tax(taxes: Borne, lines: Sequence[Creditable]) -> Fraction:
    """What lines come to with their taxes, each on the same net; not rounded, since their bases overlap with others."""
    whole = 100 + sum((Fraction(key.percent) for key in taxes), Fraction(0))
    stands = sum_of((_stands(line) for line in lines), lines[0].said.currency)
    return Fraction(stands.amount) * whole / (100 + included_percent(taxes))


def _over_lines(
    part: Money, taxes: Borne, lines: Sequence[Creditable], taxes_left: Mapping[TaxKey, Money]
) -> list[LinePart]:
    """A part of the allowance over lines that bear the same taxes: on those that can be taken back, if they have it."""
    currency, zero = part.currency, Money.zero(part.currency)
    own = [line for line in lines if not line.takes_back]
    stands = sum_of((_stands(line) for line in own), currency)
    has_own = stands > zero
    bearing = own if has_own else list(lines)
    whole = 100 + sum((Fraction(key.percent) for key in taxes), Fraction(0))
    amounts = {key: rounded(Fraction(part.amount) * Fraction(key.percent) / whole, currency) for key in taxes}
    if has_own and part > zero:
        amounts = {key: max(min(amount, taxes_left[key]), zero) for key, amount in amounts.items()}
    outside = [key for key in taxes if not key.included]
    said = part - sum_of((amounts[key] for key in outside), currency)
    if has_own and outside and said > stands:  # what the roundings of taxes left over
        amounts[outside[0]] += said - stands
        said = stands
    said_parts = _spread(said, [Fraction(_stands(line).amount) for line in bearing])
    tax_parts = {
        key: _spread(tax, [_tax_weight(line, key, has_own=has_own) for line in bearing]) for key, tax in amounts.items()
    }
    found = []
    for place, line in enumerate(bearing):
        inside = sum_of((tax_parts[key][place] for key in taxes if key.included), currency)
        for number, key in enumerate(taxes):
            part_said = said_parts[place] if number == 0 else zero
            net = part_said - inside if number == 0 else zero
            if part_said or net or tax_parts[key][place]:
                found.append(LinePart(line.id, key, part_said, net, tax_parts[key][place]))
    return found


def _tax_weight(line: Creditable, key: TaxKey, *, has_own: bool) -> Fraction:
    """A line's own tax where it has one, else what its amount comes to."""
    place = line.taxes.index(key)
    if line.own_taxes is not None and has_own:
        left = line.own_taxes[place] - line.taxes_noted[place] - line.taxes_allowed[place]
        return Fraction(left.amount)
    return exact_tax(_stands(line), key, line.taxes)


def _spread(amount: Money, weights: Sequence[Fraction]) -> list[Money]:
    if not sum(weights, Fraction(0)):
        return [amount, *[Money.zero(amount.currency)] * (len(weights) - 1)]
    return amount.allocate(weights)
