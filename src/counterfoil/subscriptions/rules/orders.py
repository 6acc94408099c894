"""What other rooms ask of this one, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from counterfoil.catalog.rules.pricing import Pricing, price_of, problems_of
from counterfoil.core.errors import Problem
from counterfoil.core.references import ReferencePairs
from counterfoil.invoicing.rules.totals import LARGEST
from counterfoil.subscriptions.rules.agreement import Discount, Policy
from counterfoil.subscriptions.rules.grid import Interval, Moment

QUANTITY_LIMIT = Decimal(10) ** 12
QUANTITY_DECIMALS = 6
COUNT_MAX = 1_000
REASON_MAX = 300
"""Characters of the reason of a pause or of an end."""
NO_QUANTITY = (Decimal(0), Decimal(1))
"""How an item says that it has no quantity of its own: one is what it has when nothing is said."""


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
    references: str = ""
    reference_values: ReferencePairs = ()
    title: str = ""
    owner_id: UUID | None = None
    deal_id: UUID | None = None
    quote_version: int | None = None
    committed_to: date | None = None
    notice_days: int = 0
    price_fixed_to: date | None = None
    is_renewed: bool = True


def item_problems(items: Sequence[ItemOrder]) -> list[Problem]:
    """All that is wrong with the items that a subscription is to have, each at its place: ``items.1.quantity``."""
    if not items:
        text = "A subscription has at least one item. To have nothing billed any more, end the subscription."
        return [Problem("items", "missing", text)]
    keys = [item.price_key for item in items]
    found: list[Problem] = []
    for place, item in enumerate(items):
        at = f"items.{place}"
        wrong = [Problem(f"{at}.{one.field}", one.code, one.message) for one in problems_of(item.pricing)]
        wrong += _quantity_problems(item.quantity, f"{at}.quantity")
        if not wrong and price_of(item.pricing, item.quantity) >= LARGEST:
            wrong.append(Problem(f"{at}.quantity", "too_large", "So much costs more than any document can be."))
        if not wrong and item.is_metered and item.quantity not in NO_QUANTITY:
            text = "What is billed by usage has no quantity. Leave it out, and record what is used."
            wrong.append(Problem(f"{at}.quantity", "metered", text))
        if item.price_key in keys[:place]:
            wrong.append(Problem(f"{at}.price", "twice", "Name each price once; give it the whole quantity."))
        if item.is_metered and item.is_in_advance:
            wrong.append(Problem(f"{at}.billed", "usage_in_advance", "Usage is billed in arrears."))
        if item.interval.count > COUNT_MAX:
            wrong.append(Problem(f"{at}.count", "too_large", f"A period has at most {COUNT_MAX:,} intervals."))
        found += wrong
    return found


def _quantity_problems(quantity: Decimal, at: str) -> Iterator[Problem]:
    if not quantity.is_finite() or quantity < 0:
        yield Problem(at, "negative", "A quantity is zero or more.")
    elif quantity >= QUANTITY_LIMIT:
        yield Problem(at, "too_large", "A quantity has at most 12 digits.")
    elif quantity != round(quantity, QUANTITY_DECIMALS):
        yield Problem(at, "too_many_decimals", f"A quantity has at most {QUANTITY_DECIMALS} decimals.")
