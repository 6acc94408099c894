"""The taxes of a line as its columns keep them: the first in columns of its own, further ones as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from counterfoil.core.money import Money
from counterfoil.invoicing.models import InvoiceLine, InvoiceTax
from counterfoil.invoicing.rules.tax import LineTax
from counterfoil.invoicing.rules.totals import Borne, TaxKey, borne

TAX_COLUMNS = ("tax_label", "tax_percent", "tax_category", "tax_included", "more_taxes")
"""What ``bear`` sets besides ``tax``."""


def bear(line: InvoiceLine, taxes: Sequence[LineTax], amounts: Sequence[Money] | None) -> None:
    """Put taxes on a line, with the amount of each where they are rounded per line."""
    first = taxes[0]
    line.tax_label, line.tax_percent, line.tax_category = first.label, first.percent, first.category
    line.tax_included = first.included
    line.tax = amounts[0].amount if amounts is not None else None
    line.more_taxes = None if len(taxes) == 1 else _further(taxes, amounts)


def _further(taxes: Sequence[LineTax], amounts: Sequence[Money] | None) -> list[dict[str, Any]]:
    keys = keys_of_taxes(taxes)
    return [
        {
            "label": tax.label,
            "category": tax.category,
            "percent": str(tax.percent),
            "included": tax.included,
            "again": keys[place].again,
            "reason": tax.reason,
            "amount": str(amounts[place].amount) if amounts is not None else None,
        }
        for place, tax in enumerate(taxes)
        if place
    ]


def with_amounts(more: Sequence[Mapping[str, Any]] | None, amounts: Sequence[Money]) -> list[dict[str, Any]] | None:
    """Further taxes as they stand on another line, with amounts of their own."""
    if not more:
        return None
    return [{**tax, "amount": str(amount.amount)} for tax, amount in zip(more, amounts, strict=True)]


def keys_of_taxes(taxes: Sequence[LineTax]) -> Borne:
    """What makes these taxes share a subtotal with those of other lines."""
    if len(taxes) == 1:
        (tax,) = taxes
        return (TaxKey(tax.category, tax.percent, tax.included),)
    return borne([(tax.category, tax.percent, tax.included) for tax in taxes])


def keys_of(line: InvoiceLine) -> Borne:
    """The taxes of a line by category and rate, in their order."""
    first = TaxKey(line.tax_category, line.tax_percent.normalize(), line.tax_included)
    if not line.more_taxes:
        return (first,)
    return (first, *(_key(tax) for tax in line.more_taxes))


def _key(tax: Mapping[str, Any]) -> TaxKey:
    return TaxKey(tax["category"], Decimal(tax["percent"]).normalize(), tax["included"], tax["again"])


def one_a_rate(taxes: Iterable[InvoiceTax]) -> list[list[InvoiceTax]]:
    """The tax sums of a document, those together that are one to who reads it: of one category and rate, whether prices
    include it or not. What a line bears twice stands apart.
    """
    found: dict[tuple[str, Decimal, int], list[InvoiceTax]] = {}
    for tax in taxes:
        found.setdefault((tax.category, tax.percent.normalize(), tax.again), []).append(tax)
    return list(found.values())


def labels_of(line: InvoiceLine) -> list[str]:
    """The names of a line's taxes, in their order."""
    return [line.tax_label, *(tax["label"] for tax in line.more_taxes or ())]


def amounts_of(line: InvoiceLine) -> tuple[Decimal, ...] | None:
    """The amounts of a line's taxes, in their order; none where tax is rounded per rate."""
    if line.tax is None:
        return None
    return (line.tax, *(Decimal(tax["amount"]) for tax in line.more_taxes or ()))


def frozen_taxes(line: InvoiceLine, reasons: Sequence[str], rule: str) -> tuple[LineTax, ...]:
    """The taxes of a line as they stand on it; ``reasons`` say why each is none to pay, ``rule`` why they are these."""
    further = [
        LineTax(key.category, key.percent, tax["label"], "", rule, included=key.included)
        for tax in line.more_taxes or ()
        for key in (_key(tax),)
    ]
    first = LineTax(line.tax_category, line.tax_percent, line.tax_label, "", rule, included=line.tax_included)
    return tuple(
        LineTax(tax.category, tax.percent, tax.label, reason, rule, included=tax.included)
        for tax, reason in zip((first, *further), reasons, strict=True)
    )


def shown_taxes(line: InvoiceLine) -> list[dict[str, Any]]:
    """The taxes of a line for people and programs."""
    return [
        {"label": label, "percent": key.percent, "category": key.category, "included": key.included}
        for label, key in zip(labels_of(line), keys_of(line), strict=True)
    ]
