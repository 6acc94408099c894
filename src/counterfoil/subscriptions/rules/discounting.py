"""A subscription's discounts on the lines of one document.

Percentages first (multiplied), then amounts, never below zero; the rest is spread over the lines in proportion, and the
last line takes the remainder. Lines that adjust a period carry its percentages already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal

from counterfoil.core.money import Money
from counterfoil.invoicing.rules import discounts as document
from counterfoil.subscriptions.rules.agreement import RECURRING, USAGE, Agreement, Difference, Discount
from counterfoil.subscriptions.rules.grid import Moment

_EXACT = Context(prec=120)
_SPREAD = (RECURRING, USAGE)


def factor(discounts: Iterable[Discount]) -> Decimal:
    """What is left of a price after the percentages."""
    left = Decimal(1)
    for discount in discounts:
        if discount.percent is not None:
            left = _EXACT.multiply(left, Decimal(1) - discount.percent.scaleb(-2))
    return left


def discounted(agreement: Agreement, lines: Sequence[Difference]) -> list[Difference]:
    """The lines of one document after the discounts that cover their periods.

    Lines with the same discounts that are due on the same day are discounted together, so a late run gives what runs in
    time would have given. An amount for lines that differ in their percentages is taken off once, of what those left.
    """
    if not agreement.discounts:
        return list(lines)
    advance = {item.id for item in agreement.items if item.is_in_advance}
    days: dict[Moment, dict[tuple[Discount, ...], list[int]]] = {}
    for place, line in enumerate(lines):
        if line.discounts and line.kind in _SPREAD and line.net > 0:
            due = max(line.cell.start, agreement.start) if line.item_id in advance else line.cell.end
            days.setdefault(due, {}).setdefault(line.discounts, []).append(place)
    done = list(lines)
    for groups in days.values():
        _discount(done, groups, agreement)
    return done


def _discount(lines: list[Difference], groups: dict[tuple[Discount, ...], list[int]], agreement: Agreement) -> None:
    """Discount the lines that are due on one day, grouped by their discounts."""
    shared = [
        one for one in agreement.discounts if one.amount is not None and sum(one in covering for covering in groups) > 1
    ]
    for covering, places in groups.items():
        _take_off(lines, places, [one for one in covering if one not in shared], agreement.currency)
    for one in shared:
        places = [place for covering, among in groups.items() if one in covering for place in among]
        _take_off(lines, places, [one], agreement.currency)


def _take_off(lines: list[Difference], places: Sequence[int], discounts: Sequence[Discount], currency: str) -> None:
    amounts = [Money(lines[place].net, currency) for place in places]
    taken_off = [document.Discount(one.percent, one.amount) for one in discounts]
    for place, net in zip(places, document.discounted(amounts, taken_off, currency), strict=True):
        lines[place] = lines[place]._replace(net=net.amount)
