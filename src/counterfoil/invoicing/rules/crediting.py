"""How much of an issued line can be taken back, and with how much tax. See ``docs/concepts/credit-notes.md``.

Amounts are in the line's own terms: with tax where its price includes that. The tax of a credit is rate × base,
rounded; the credit that completes a rate (per line: a line) takes what is left of the invoice's tax, so that nothing is
left over and nothing is given twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.core.money import Money, formatted, sum_of
from counterfoil.invoicing.rules.totals import TaxKey, tax_amount


@dataclass(frozen=True, slots=True)
class Creditable:
    """An issued line: what it says, and how much of that and of its tax was taken back by other documents.

    ``own_tax`` is there where the document rounded its tax per line. ``takes_back`` marks a line that itself takes back
    an issued one: it is not taken back in turn.
    """

    id: UUID
    invoice_id: UUID
    said: Money
    tax: TaxKey
    own_tax: Money | None
    taken: Money
    tax_taken: Money
    takes_back: bool = False

    @property
    def left(self) -> Money:
        return self.said - self.taken


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much is to be taken back of a line."""

    line_id: UUID
    amount: Money


Rate = tuple[UUID, TaxKey]
"""An invoice and one kind of tax on it."""


def left_of_rate(rate: Rate, lines: Mapping[UUID, Creditable]) -> Money:
    """What is left of all lines of a rate together: an allowance on the invoice lowers it."""
    return sum_of((line.left for line in _of(rate, lines)), next(iter(lines.values())).said.currency)


def creditable_tax(amount: Money, key: TaxKey, taking_back: Money) -> Money:
    """The tax of an invoice's rate that its own lines bear, without that of lines which take back other invoices."""
    return amount - tax_amount(taking_back, key)


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
    for rate, places in _by_rate(wanted, lines).items():
        left = left_of_rate(rate, lines)
        asked = sum_of((wanted[place].amount for place in places), left.currency)
        if asked > left:
            text = f"Of the lines of this rate {formatted(left, 'en')} is left together, less than this credit."
            found.append(Problem(f"{path}lines.{places[0]}.amount", "more_than_left_of_rate", text))
    return found


def credit_taxes(
    wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable], rate_taxes: Mapping[Rate, Money]
) -> list[Money]:
    """The tax of each credit. ``rate_taxes`` are the whole taxes that can be taken back, as ``creditable_tax`` says."""
    taxes: dict[int, Money] = {}
    for rate, places in _by_rate(wanted, lines).items():
        amounts = [wanted[place].amount for place in places]
        if lines[wanted[places[0]].line_id].own_tax is not None:
            parts = _taxes_per_line([wanted[place] for place in places], lines)
        else:
            parts = _spread(_tax_of_rate(rate, wanted, places, lines, rate_taxes[rate]), amounts)
        taxes.update(zip(places, parts, strict=True))
    return [taxes[place] for place in range(len(wanted))]


def after_credit(
    lines: Mapping[UUID, Creditable], wanted: Sequence[Wanted], taxes: Sequence[Money]
) -> dict[UUID, Creditable]:
    """The lines as they are once these credits are made."""
    after = dict(lines)
    for one, tax in zip(wanted, taxes, strict=True):
        line = after[one.line_id]
        after[line.id] = replace(line, taken=line.taken + one.amount, tax_taken=line.tax_taken + tax)
    return after


def _tax_of_rate(
    rate: Rate, wanted: Sequence[Wanted], places: Sequence[int], lines: Mapping[UUID, Creditable], whole: Money
) -> Money:
    currency = whole.currency
    asked: dict[UUID, Money] = {}
    for place in places:
        one = wanted[place]
        asked[one.line_id] = asked.get(one.line_id, Money.zero(currency)) + one.amount
    same = _of(rate, lines)
    left = whole - sum_of((line.tax_taken for line in same), currency)
    if all(line.left == asked.get(line.id, Money.zero(currency)) for line in same):
        return left
    amount = sum_of(asked.values(), currency)
    tax = tax_amount(amount, rate[1])
    return tax if amount.amount < 0 else min(tax, max(left, Money.zero(currency)))


def _spread(tax: Money, amounts: Sequence[Money]) -> list[Money]:
    """A rate's tax over its credits, in proportion."""
    if not sum_of(amounts, tax.currency):
        return [tax, *[Money.zero(tax.currency)] * (len(amounts) - 1)]
    return tax.allocate([amount.amount for amount in amounts])


def _taxes_per_line(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> list[Money]:
    after = dict(lines)
    found = []
    for one in wanted:
        line = after[one.line_id]
        assert line.own_tax is not None
        left = line.own_tax - line.tax_taken
        tax = tax_amount(one.amount, line.tax)
        if one.amount == line.left or abs(tax) > abs(left):
            tax = left
        found.append(tax)
        after = after_credit(after, [one], [tax])
    return found


def _by_rate(wanted: Sequence[Wanted], lines: Mapping[UUID, Creditable]) -> dict[Rate, list[int]]:
    found: dict[Rate, list[int]] = {}
    for place, one in enumerate(wanted):
        line = lines[one.line_id]
        found.setdefault((line.invoice_id, line.tax), []).append(place)
    return found


def _of(rate: Rate, lines: Mapping[UUID, Creditable]) -> list[Creditable]:
    return [line for line in lines.values() if (line.invoice_id, line.tax) == rate and not line.takes_back]
