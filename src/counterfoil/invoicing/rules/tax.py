"""Which taxes a line bears: the customer's tax profile first, then the entity's rates for its tax class on the day.

A class may stand for several taxes at once, such as GST and QST: its parts.

Categories are those of EN 16931 (UNTDID 5305): S taxed, Z zero-rated, E exempt, AE reverse charge, O outside the scope.
The decision table stands in ``docs/concepts/totals-and-tax.md``; the tests read it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

STANDARD, EXEMPT, REVERSE_CHARGE, OUTSIDE_SCOPE = "standard", "exempt", "reverse_charge", "outside_scope"
REVERSE_CHARGE_NOTE = "Reverse charge: the recipient owes the tax (Art. 196 of Directive 2006/112/EC)"
OUTSIDE_NOTE = "Not subject to tax in the country of supply"
NEEDS_A_REASON = frozenset({"E", "AE", "O"})
"""Categories of which EN 16931 wants to know why there is no tax (BR-E-10, BR-AE-10, BR-O-10)."""
MOST_TAXES = 9
"""More taxes than this no line bears."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """What an entity charges on a tax class from a day until before another; ``part`` tells several taxes apart."""

    id: UUID
    entity_id: UUID
    tax_class: str
    label: str
    percent: Decimal
    category: str
    legal_note: str
    valid_from: date
    valid_to: date | None
    included: bool = False
    part: int = 1

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class LineTax:
    """One tax of a line with the rule that decided it. ``rule`` is a sentence for people; ``found`` is false where no
    rate is valid on the day, which blocks the issue. ``included`` says that the line's price has the tax in it.
    """

    category: str
    percent: Decimal
    label: str
    reason: str
    rule: str
    found: bool = True
    included: bool = False


Rates = Mapping[tuple[UUID, str], tuple[LineTax, ...]]
"""What is borne on one day, by entity and tax class, in the order of the parts."""


def rates_on(rates: Iterable[Rate], day: date) -> Rates:
    """The rates that hold on the day. The database lets no two of one entity, class and part overlap."""
    found: dict[tuple[UUID, str], tuple[LineTax, ...]] = {}
    for rate in sorted(rates, key=lambda rate: rate.part):
        if rate.holds_on(day):
            key = (rate.entity_id, rate.tax_class)
            found[key] = (*found.get(key, ()), _of_rate(rate))
    return found


def line_taxes(
    rates: Rates, entity_id: UUID, tax_class: str, profile: str, exemption_reason: str, on: date
) -> tuple[LineTax, ...]:
    """The taxes of one line: one, or one for each part of its class.

    The profile beats the rates, all of them; an undecided profile is taxed and named by the checks.
    """
    if profile == EXEMPT:
        rule = f"The customer is exempt: {exemption_reason}" if exemption_reason else "The customer is exempt"
        return (LineTax("E", ZERO, "Exempt", exemption_reason, rule),)
    if profile == REVERSE_CHARGE:
        return (LineTax("AE", ZERO, "Reverse charge", REVERSE_CHARGE_NOTE, "The customer's profile is reverse charge"),)
    if profile == OUTSIDE_SCOPE:
        return (
            LineTax("O", ZERO, "Outside scope", OUTSIDE_NOTE, "The customer's profile is outside the scope of tax"),
        )
    holding = rates.get((entity_id, tax_class))
    if holding is None:
        return (LineTax("S", ZERO, "", "", f"No {tax_class} rate holds on {on.isoformat()}", found=False),)
    return holding


def _of_rate(rate: Rate) -> LineTax:
    rule = f"{rate.label}, valid since {rate.valid_from.isoformat()}"
    if rate.included:
        rule = f"{rule}; prices include it"
    return LineTax(rate.category, rate.percent, rate.label, rate.legal_note, rule, included=rate.included)
