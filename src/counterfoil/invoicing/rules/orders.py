"""What other rooms ask of this one, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.core.references import ReferencePairs
from counterfoil.invoicing.rules.discounts import Discount

LINES_MAX = 400
"""So many lines at most of a document that may take fewer: the editor of drafts still posts them in one piece."""


class OrderLine(NamedTuple):
    """A line of a draft to be made. ``source`` says where it comes from; ``list_price`` is the catalog's, if any.

    With ``net``, the line comes to that amount of the document's currency, which may be below zero, whatever quantity
    and price it shows; ``share`` and ``why`` say how it came about. ``credits_line_id`` is the issued line that it
    takes back: it bears the tax of that line.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    product_id: UUID | None = None
    detail: str = ""
    unit: str = ""
    discount_percent: Decimal = Decimal(0)
    tax_class: str = "standard"
    deal_line_id: UUID | None = None
    source: Sourced[str] | None = None
    list_price: Decimal | None = None
    service_from: date | None = None
    service_to: date | None = None
    kind: str = "one_off"
    net: Decimal | None = None
    share: str = ""
    why: str = ""
    subscription_id: UUID | None = None
    subscription_item_id: UUID | None = None
    credits_line_id: UUID | None = None
    line_id: UUID | None = None


class DraftOrder(NamedTuple):
    """A draft to be made for an account. What is left out comes from the account's facts.

    ``discounts`` are spread over its lines, except those that take back an issued line.
    """

    account_id: UUID
    lines: tuple[OrderLine, ...]
    entity_id: UUID | None = None
    currency: str | None = None
    origin: str = "manual"
    deal_id: UUID | None = None
    deal_title: str = ""
    quote_version: int | None = None
    sales_owner_id: UUID | None = None
    po_number: str = ""
    references: str = ""
    reference_values: ReferencePairs = ()
    notes: str = ""
    internal_notes: str = ""
    service_from: date | None = None
    service_to: date | None = None
    terms_id: UUID | None = None
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True)
class CreditLine:
    """So much of an issued line to be taken back, in that line's own terms: with tax where its price includes that.

    ``description``, ``quantity`` and ``unit_price`` are worked out from the line unless given; ``line_id`` will be the
    id of the credit note's line.
    """

    invoice_line_id: UUID
    amount: Decimal
    line_id: UUID | None = None
    description: str = ""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    kind: str = "one_off"
    service_from: date | None = None
    service_to: date | None = None
    share: str = ""
    why: str = ""


@dataclass(frozen=True)
class CreditOrder:
    """A credit note to be issued. ``origin`` is ``manual`` or ``subscription``; ``reason`` is printed."""

    lines: tuple[CreditLine, ...]
    reason: str = ""
    origin: str = "manual"


@dataclass(frozen=True)
class TakeOver:
    """An issued document of another system. ``total`` includes ``tax``."""

    account_id: UUID
    entity_id: UUID
    number: str
    issued_on: date
    due_on: date
    total: Decimal
    currency: str
    tax: Decimal = Decimal(0)
    disputed: bool = False
    description: str = ""
