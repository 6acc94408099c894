"""What other rooms ask of this one, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.catalog.rules.pricing import Pricing
from counterfoil.subscriptions.rules.agreement import Discount, Policy
from counterfoil.subscriptions.rules.grid import Interval, Moment


@dataclass(frozen=True)
class ItemOrder:
    """So much of a price. ``price_key`` says what is sold: two items of one key never run at once."""

    price_key: str
    description: str
    pricing: Pricing
    interval: Interval
    quantity: Decimal = Decimal(1)
    is_in_advance: bool = True
    is_metered: bool = False
    product_id: UUID | None = None
    price_id: UUID | None = None
    unit: str = ""
    tax_class: str = "standard"


@dataclass(frozen=True)
class SubscriptionOrder:
    """A subscription to be started. What is left out comes from the account and its company's policy.

    ``start`` and ``end`` are local days or instants; ``trial_end`` is the first moment that is billed.
    """

    account_id: UUID
    items: tuple[ItemOrder, ...]
    start: Moment
    end: Moment | None = None
    trial_end: Moment | None = None
    anchor_day: int | None = None
    anchor_on: date | None = None
    discounts: tuple[Discount, ...] = ()
    coupon: str = ""
    policy: Policy | None = None
    entity_id: UUID | None = None
    currency: str | None = None
    terms_id: UUID | None = None
    po_number: str = ""
    title: str = ""
    owner_id: UUID | None = None
    deal_id: UUID | None = None
    quote_version: int | None = None
    committed_to: date | None = None
    notice_days: int = 0
    price_fixed_to: date | None = None
    is_renewed: bool = True
