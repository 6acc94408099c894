"""What is wanted of a subscription, from keys of prices and quantities to items that commands take.

What a subscription has already keeps the price that was agreed; what is new comes from the catalog as of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from counterfoil.accounts.queries import billing_facts
from counterfoil.catalog.models import Billed, Price
from counterfoil.catalog.queries import prices_for
from counterfoil.core.errors import Problem, Refusal
from counterfoil.subscriptions.agreements import pricing_of
from counterfoil.subscriptions.models import ItemVersion, Subscription, SubscriptionItem
from counterfoil.subscriptions.rules.grid import Interval, moment_of, stored
from counterfoil.subscriptions.rules.orders import ItemOrder

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
LONGEST_AGO = timedelta(days=3_660)


def check_day(day: date | None, name: str, on: date) -> None:
    """Refuse a day that nobody means: billing it would make thousands of periods, or never come."""
    if day is None:
        return
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Refusal("out_of_range", f"Give a day from {FIRST_DAY.year} to {LAST_DAY.year}.", name)
    if day < on - LONGEST_AGO:
        raise Refusal("too_long_ago", "At most ten years back can be billed.", name)


def new_orders(account_id: UUID, currency: str, rows: Sequence[Mapping[str, Any]], on: date) -> list[ItemOrder]:
    """The items of a new subscription of an account."""
    offered = offered_to(account_id, currency, on, {row["price"] for row in rows})
    return _orders(rows, {key: order_of_price(price) for key, price in offered.items()}, currency)


def changed_orders(
    subscription: Subscription, rows: Sequence[Mapping[str, Any]], when: date, on: date
) -> list[ItemOrder]:
    """The items that a subscription is to consist of from ``when`` on; what is new comes from the catalog as of ``on``.

    A price that was raised meanwhile is what it was on the day.
    """
    moment = stored(moment_of(when, subscription.basis, subscription.zone))
    then = ItemVersion.objects.filter(Q(ends_at=None) | Q(ends_at__gt=moment), starts_at__lte=moment)
    running = set(then.filter(item__subscription=subscription).values_list("item_id", flat=True))
    items = sorted(last_items(subscription.pk), key=lambda item: (item.pk in running, item.position))
    known = {item.price_key: order_of_item(item) for item in items}
    wanted = {row["price"] for row in rows} - set(known)
    offered = offered_to(subscription.account_id, subscription.currency, on, wanted) if wanted else {}
    found = {**known, **{key: order_of_price(price) for key, price in offered.items()}}
    return _orders(rows, found, subscription.currency)


def last_items(subscription_id: UUID) -> Iterable[SubscriptionItem]:
    """The items of a subscription, a later one of the same price after an earlier."""
    return SubscriptionItem.objects.filter(subscription=subscription_id).order_by("position")


def offered_to(account_id: UUID, currency: str, on: date, keys: Iterable[str] | None = None) -> dict[str, Price]:
    """The prices that an account gets on a day, by key."""
    facts = billing_facts([account_id], on).get(account_id)
    tier = facts.service_tier.value if facts is not None else ""
    return prices_for(account_id=account_id, tier=tier, currency=currency, on=on, keys=keys)


def order_of_price(price: Price, quantity: Decimal = Decimal(1)) -> ItemOrder:
    """An item of a price of the catalog."""
    return ItemOrder(
        price_key=price.key,
        description=price.product.name,
        pricing=price.pricing,
        interval=Interval(price.interval, price.count),
        quantity=quantity,
        is_in_advance=price.billed == Billed.IN_ADVANCE,
        is_metered=price.is_metered,
        product_id=price.product_id,
        price_id=price.pk,
        unit=price.product.unit,
        tax_class=price.product.tax_class,
    )


def order_of_item(item: SubscriptionItem, quantity: Decimal = Decimal(1)) -> ItemOrder:
    """An item as it was agreed."""
    return ItemOrder(
        price_key=item.price_key,
        description=item.description,
        pricing=pricing_of(item),
        interval=Interval(item.interval, item.count),
        quantity=quantity,
        is_in_advance=item.is_in_advance,
        is_metered=item.is_metered,
        product_id=item.product_id,
        price_id=item.price_id,
        unit=item.unit,
        tax_class=item.tax_class,
    )


def _orders(rows: Sequence[Mapping[str, Any]], found: Mapping[str, ItemOrder], currency: str) -> list[ItemOrder]:
    orders: list[ItemOrder] = []
    problems: list[Problem] = []
    for place, row in enumerate(rows):
        known = found.get(row["price"])
        if known is None:
            text = f"“{row['price'][:60]}” is no price that this account can get in {currency}."
            problems.append(Problem(f"items.{place}.price", "not_offered", text))
            continue
        quantity = row.get("quantity")
        orders.append(replace(known, quantity=Decimal(1) if quantity is None else quantity))
    if problems:
        raise Refusal.of(problems)
    return orders
