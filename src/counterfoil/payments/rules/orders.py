"""Payments as other rooms and files order them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

OLDEST: Literal["oldest"] = "oldest"


@dataclass(frozen=True)
class Share:
    """So much of a payment for one invoice."""

    invoice_id: UUID
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class PaymentOrder:
    """Money received. ``allocations`` name invoices and amounts, or are ``"oldest"``: the payer's open invoices, the
    one due first before the others. Or ``invoices`` name those to which it goes, in this order.

    Without an ``entity_id`` it is the company that issued the invoices, else the default one.
    """

    payer_id: UUID
    method: str
    amount: Decimal
    currency: str
    received_on: date
    entity_id: UUID | None = None
    reference: str = ""
    note: str = ""
    external_id: str = ""
    request_key: str = ""
    allocations: tuple[Share, ...] | Literal["oldest"] = ()
    invoices: tuple[UUID, ...] = ()
