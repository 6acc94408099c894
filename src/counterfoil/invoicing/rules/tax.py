"""Which tax a line bears:

the customer's tax profile first, then the entity's rate for the product's tax class on the day.

Categories are those of EN 16931 (UNTDID 5305): S taxed, Z zero-rated, E exempt, AE reverse charge, O outside the
scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

REVERSE_CHARGE_NOTE = "Reverse charge: the recipient owes the tax (Art. 196 of Directive 2006/112/EC)"
OUTSIDE_NOTE = "Not subject to tax in the country of supply"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Rate:
    """What an entity charges on a tax class from a day until before another."""

    id: UUID
    entity_id: UUID
    tax_class: str
    label: str
    percent: Decimal
    category: str
    legal_note: str
    valid_from: date
    valid_to: date | None

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class LineTax:
    """The tax of a line with the rule that decided it. ``rule`` is a sentence for people; ``found`` is false where no
    rate is valid on the day, which blocks the issue.
    """

    category: str
    percent: Decimal
    label: str
    reason: str
    rule: str
    found: bool = True


def line_tax(
    rates: Sequence[Rate], entity_id: UUID, tax_class: str, profile: str, exemption_reason: str, on: date
) -> LineTax:
    """The tax of one line. The profile beats the rate; an undecided profile is taxed and named by the checks."""
    if profile == "exempt":
        return LineTax("E", ZERO, "Exempt", exemption_reason, f"The customer is exempt: {exemption_reason}")
    if profile == "reverse_charge":
        return LineTax("AE", ZERO, "Reverse charge", REVERSE_CHARGE_NOTE, "The customer's profile is reverse charge")
    if profile == "outside_scope":
        return LineTax("O", ZERO, "Outside scope", OUTSIDE_NOTE, "The customer's profile is outside the scope of tax")
    for rate in rates:
        if rate.entity_id == entity_id and rate.tax_class == tax_class and rate.holds_on(on):
            rule = f"{rate.label}, valid since {rate.valid_from.isoformat()}"
            return LineTax(rate.category, rate.percent, rate.label, rate.legal_note, rule)
    return LineTax("S", ZERO, "", "", f"No rate for {tax_class} on {on.isoformat()}", found=False)
