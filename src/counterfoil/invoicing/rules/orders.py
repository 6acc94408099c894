"""What other rooms ask of this one, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.accounts.rules.inheritance import Sourced


@dataclass(frozen=True)
class OrderLine:
    """A line of a draft to be made. ``source`` says where it comes from; ``list_price`` is the catalog's, if any."""

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


@dataclass(frozen=True)
class DraftOrder:
    """A draft to be made for an account. What is left out comes from the account's facts."""

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
    notes: str = ""
    internal_notes: str = ""
    service_from: date | None = None
    service_to: date | None = None


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
