"""When an invoice is due: on one day, or in instalments; and what an early payment saves.

The worked tables stand in ``docs/concepts/terms.md``; the tests read them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from counterfoil.accounts.rules.terms import Discount, Due, Part, Terms
from counterfoil.core.money import Money, rounded, sum_of
from counterfoil.core.periods import add_months, end_of_month


@dataclass(frozen=True, slots=True)
class Instalment:
    """So much of an invoice is due on a day."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class EarlyDiscount:
    """``pay`` instead of the total settles the invoice until a day, inclusive; ``amount`` is the difference."""

    until: date
    amount: Money
    pay: Money


@dataclass(frozen=True, slots=True)
class DuePlan:
    """The instalments in the order of their due days, at least one; they sum to the total."""

    instalments: tuple[Instalment, ...]
    early_discount: EarlyDiscount | None = None

    @property
    def due_on(self) -> date:
        """The day on which the whole is due: that of the last instalment."""
        return self.instalments[-1].due_on


def due_plan(total: Money, issued_on: date, terms: Terms | None) -> DuePlan:
    """When which part of the total is due under these terms. Without terms, all of it on the day of issue."""
    if terms is None:
        return DuePlan((Instalment(issued_on, total),))
    plan = _instalments(total, issued_on, terms.instalments) if terms.instalments else ()
    return DuePlan(plan or (Instalment(_last_day(terms, issued_on), total),), _early(total, issued_on, terms))


def due_date(issued_on: date, terms: Terms | None) -> date:
    """The day on which the whole is due, whatever the total is."""
    return _last_day(terms, issued_on) if terms is not None else issued_on


def due_day(due: Due, issued_on: date) -> date:
    """The one day. A day of the issue's own month that is past by then is that day of the next month."""
    if due.day_of_month is not None:
        day = add_months(issued_on, due.months, due.day_of_month)
        return day if day >= issued_on else add_months(issued_on, due.months + 1, due.day_of_month)
    if due.from_end_of_month:
        return end_of_month(add_months(issued_on, due.months, 1)) + timedelta(days=due.days)
    day = issued_on + timedelta(days=due.days)
    return end_of_month(day) if due.then_end_of_month else day


def open_instalments(instalments: Sequence[Instalment], open_amount: Money) -> tuple[Instalment, ...]:
    """What of each instalment is still open, in their order: what was paid or credited filled the earliest first.

    An instalment that is filled is there with zero.
    """
    filled = sum_of((one.amount for one in instalments), open_amount.currency) - open_amount
    found = []
    for one in instalments:
        part = min(one.amount, max(filled, Money.zero(filled.currency)))
        filled -= part
        found.append(Instalment(one.due_on, one.amount - part))
    return tuple(found)


def _last_day(terms: Terms, issued_on: date) -> date:
    return max(due_day(due, issued_on) for due in [part.due for part in terms.instalments] or [terms.due])


def _instalments(total: Money, issued_on: date, parts: tuple[Part, ...]) -> tuple[Instalment, ...]:
    """Percentages are rounded half up, and the rest, or else the last part, takes what is left.

    No part takes more than is left of a small total; a part that gets nothing is left out.
    """
    taker = next((place for place, part in enumerate(parts) if part.rest), len(parts) - 1)
    amounts = [Money.zero(total.currency)] * len(parts)
    left = total
    for place, part in enumerate(parts):
        if place != taker:
            amounts[place] = min(_size(part, total), left)
            left -= amounts[place]
    amounts[taker] = left
    found = [Instalment(due_day(part.due, issued_on), amount) for part, amount in zip(parts, amounts, strict=True)]
    return tuple(sorted((one for one in found if one.amount), key=lambda one: one.due_on))


def _size(part: Part, total: Money) -> Money:
    if part.percent is not None:
        return rounded(Fraction(total.amount) * Fraction(part.percent) / 100, total.currency)
    assert part.amount is not None
    return rounded(part.amount, total.currency)


def _early(total: Money, issued_on: date, terms: Terms) -> EarlyDiscount | None:
    """The discount in money; none where it comes to nothing, or to all of a very small total."""
    discount: Discount | None = terms.early_discount
    if discount is None:
        return None
    amount = rounded(Fraction(total.amount) * Fraction(discount.percent) / 100, total.currency)
    if not amount or amount >= total:
        return None
    return EarlyDiscount(issued_on + timedelta(days=discount.days), amount, total - amount)
