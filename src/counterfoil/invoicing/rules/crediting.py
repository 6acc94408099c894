"""How much of an issued line can be taken back, and with how much tax. See ``docs/concepts/credit-notes.md``.

Amounts are in the line's own terms: with tax where its price includes that. Each tax of a line is taken back by itself:
rate × base, rounded; the credit that completes a rate (per line: a line) takes what is left of the invoice's tax, so
that nothing is left over and nothing is given twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.core.money import Money, formatted, rounded, sum_of
from counterfoil.invoicing.rules.totals import Borne, TaxKey, exact_tax, tax_on, taxes_of


@dataclass(frozen=True, slots=True)
class Creditable:
    """An issued line: what it says, and how much of that and of each of its taxes was taken back by other documents.

    ``own_taxes`` are there where the document rounded its tax per line. ``noted`` is what credit notes took back: the
    rest of what was ``taken`` stands on later invoices. ``allowed`` is what early payments need not pay of it.
    ``takes_back`` marks a line that itself takes back an issued one: it is not taken back in turn.
    """

    id: UUID
    invoice_id: UUID
    said: Money
    taxes: Borne
    own_taxes: tuple[Money, ...] | None
    taken: Money
    taxes_taken: tuple[Money, ...]
    noted: Money
    taxes_noted: tuple[Money, ...]
    allowed: Money
    taxes_allowed: tuple[Money, ...]
    takes_back: bool = False

    @property
    def left(self) -> Money:
        """What is still charged of it. What was allowed is not, so it is not given back either."""
        rest = self.said - self.taken - self.allowed
        return rest if (rest.amount < 0) == (self.said.amount < 0) else Money.zero(rest.currency)


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much is to be taken back of a line."""

    line_id: UUID
    amount: Money


Rate = tuple[UUID, TaxKey]
"""An invoice and one kind of tax on it."""


def whole_is_what_is_left(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> list[Wanted]:
    """Who asks for all of a line that was not taken back yet asks for what is still charged of it: an allowance lowered
    that.
    """
    taken = {line.id: line.taken for line in lines.values()}
    found = []
    for one in wanted:
        line = lines[one.line_id]
        left = replace(line, taken=taken[line.id]).left
        is_whole = one.amount == line.said - taken[line.id] and bool(left)
        taken[line.id] += one.amount
        found.append(replace(one, amount=left) if is_whole else one)
    return found


def left_of_rate(rate: Rate, lines: Mapping[UUID, Creditable]) -> Money:
    """What is left of all lines of a rate together: an allowance on the invoice lowers it."""
    return sum_of((line.left for line in _of(rate, lines)), next(iter(lines.values())).said.currency)


def creditable_tax(amount: Money, taking_back: Fraction) -> Money:
    """The tax of an invoice's rate that its own lines bear, without that of lines which take back other invoices.

    ``taking_back`` is the exact tax of those.
    """
    return amount - rounded(taking_back, amount.currency)


def problems_of(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable], path: str = "") -> list[Problem]:
    """Why so much cannot be taken back: each at its line."""
    found = []
    after = dict(lines)
    for place, one in enumerate(wanted):
        line = after[one.line_id]
        field = f"{path}lines.{place}.amount"
        shown = formatted(line.left, "en")
        if line.takes_back:
            text = "This line takes back an earlier one; it is not taken back in turn."
            found.append(Problem(f"{path}lines.{place}.line", "takes_back", text))
        elif not one.amount:
            found.append(Problem(field, "missing", "Say how much is to be taken back."))
        elif (one.amount.amount < 0) != (line.said.amount < 0) or abs(one.amount) > abs(line.left):
            text = f"Of this line {shown} is left; {formatted(one.amount, 'en')} cannot be taken back."
            found.append(Problem(field, "more_than_left", text))
        else:
            after[line.id] = replace(line, taken=line.taken + one.amount)
    if found:
        return found
    by_line: dict[int, Problem] = {}
    for rate, places in _by_rate(wanted, lines).items():
        left = left_of_rate(rate, lines)
        asked = sum_of((wanted[place].amount for place in places), left.currency)
        if asked > left:
            text = f"Of the lines of this rate {formatted(left, 'en')} is left together, less than this credit."
            problem = Problem(f"{path}lines.{places[0]}.amount", "more_than_left_of_rate", text)
            by_line.setdefault(places[0], problem)
    return list(by_line.values())


def set_offs(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> list[Wanted]:
    """What else has to be taken back, so that credits do not give more than is left of their rates together: lines
    below zero, which gave something on the same invoice already.
    """
    named = {one.line_id for one in wanted}
    found: list[Wanted] = []
    for rate in _by_rate(wanted, lines):
        together = [*wanted, *found]
        asked = sum_of((together[place].amount for place in _by_rate(together, lines)[rate]), _currency(lines))
        short = asked - max(left_of_rate(rate, lines), Money.zero(asked.currency))
        for line in _of(rate, lines):
            if short.amount > 0 and line.left.amount < 0 and line.id not in named:
                part = max(line.left, -short)
                short += part
                named.add(line.id)
                found.append(Wanted(line.id, part))
    return found


def _currency(lines: Mapping[UUID, Creditable]) -> str:
    return next(iter(lines.values())).said.currency


def credit_taxes(
    wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable], rate_taxes: Mapping[Rate, Money]
) -> list[tuple[Money, ...]]:
    """The taxes of each credit, in the order of its line. ``rate_taxes`` are the whole taxes that can be taken back, as
    ``creditable_tax`` says.
    """
    found: list[dict[TaxKey, Money]] = [{} for _ in wanted]
    own = [place for place, one in enumerate(wanted) if lines[one.line_id].own_taxes is not None]
    for place, taxes in zip(own, _taxes_per_line([wanted[place] for place in own], lines), strict=True):
        found[place] = dict(zip(lines[wanted[place].line_id].taxes, taxes, strict=True))
    bases = [one.amount for one in wanted]
    # What is in the price first: the other taxes are on what is left without it.
    for rate, places in sorted(_by_rate(wanted, lines).items(), key=lambda each: not each[0][1].included):
        if lines[wanted[places[0]].line_id].own_taxes is not None:
            continue
        key = rate[1]
        whole, exact = (
            rate_taxes[rate],
            [exact_tax(wanted[place].amount, key, _borne(wanted[place], lines)) for place in places],
        )
        if key.included:
            worked_out = rounded(sum(exact, Fraction(0)), whole.currency)
        else:
            worked_out = tax_on(sum_of((bases[place] for place in places), whole.currency), key.percent)
        tax = _tax_of_rate(rate, wanted, places, lines, whole, worked_out)
        weights = exact if key.percent else [Fraction(wanted[place].amount.amount) for place in places]
        for place, part in zip(places, _spread(tax, weights), strict=True):
            found[place][key] = part
            if key.included:
                bases[place] -= part
    return [tuple(taxes[key] for key in _borne(one, lines)) for one, taxes in zip(wanted, found, strict=True)]


def after_credit(
    lines: Mapping[UUID, Creditable], wanted: Sequence[Wanted], taxes: Sequence[tuple[Money, ...]]
) -> dict[UUID, Creditable]:
    """The lines as they are once these credits are made."""
    after = dict(lines)
    for one, given in zip(wanted, taxes, strict=True):
        line = after[one.line_id]
        taken = tuple(before + tax for before, tax in zip(line.taxes_taken, given, strict=True))
        after[line.id] = replace(line, taken=line.taken + one.amount, taxes_taken=taken)
    return after


def _borne(one: Wanted, lines: Mapping[UUID, Creditable]) -> Borne:
    return lines[one.line_id].taxes


def _tax_of_rate(
    rate: Rate,
    wanted: Sequence[Wanted],
    places: Sequence[int],
    lines: Mapping[UUID, Creditable],
    whole: Money,
    worked_out: Money,
) -> Money:
    """What credits take of a rate: what is worked out, at most what is left, and all of that with the last credit."""
    currency = whole.currency
    asked: dict[UUID, Money] = {}
    for place in places:
        one = wanted[place]
        asked[one.line_id] = asked.get(one.line_id, Money.zero(currency)) + one.amount
    same = _of(rate, lines)
    own = [(line, line.taxes.index(rate[1])) for line in same]
    left = whole - sum_of((line.taxes_taken[at] + line.taxes_allowed[at] for line, at in own), currency)
    if all(line.left == asked.get(line.id, Money.zero(currency)) for line in same):
        return left
    amount = sum_of(asked.values(), currency)
    return worked_out if amount.amount < 0 else min(worked_out, max(left, Money.zero(currency)))


def _spread(tax: Money, weights: Sequence[Fraction]) -> list[Money]:
    """A rate's tax over its credits, in proportion."""
    if not sum(weights, Fraction(0)):
        return [tax, *[Money.zero(tax.currency)] * (len(weights) - 1)]
    return tax.allocate(weights)


def _taxes_per_line(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> list[tuple[Money, ...]]:
    after = dict(lines)
    found = []
    for one in wanted:
        line = after[one.line_id]
        assert line.own_taxes is not None
        taxes = []
        off = zip(line.taxes_taken, line.taxes_allowed, strict=True)
        for tax, own, (taken, allowed) in zip(taxes_of(one.amount, line.taxes), line.own_taxes, off, strict=True):
            left = own - taken - allowed
            taxes.append(left if one.amount == line.left or abs(tax) > abs(left) else tax)
        found.append(tuple(taxes))
        after = after_credit(after, [one], [tuple(taxes)])
    return found


def _by_rate(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> dict[Rate, list[int]]:
    """The places of the credits of each rate; a line that bears several taxes stands at each of them."""
    found: dict[Rate, list[int]] = {}
    for place, one in enumerate(wanted):
        line = lines[one.line_id]
        for key in line.taxes:
            found.setdefault((line.invoice_id, key), []).append(place)
    return found


def _of(rate: Rate, lines: Mapping[UUID, Creditable]) -> list[Creditable]:
    invoice_id, key = rate
    return [
        line for line in lines.values() if line.invoice_id == invoice_id and key in line.taxes and not line.takes_back
    ]
