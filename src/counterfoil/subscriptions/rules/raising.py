"""Raising a price that was agreed: what it becomes, from when on, and what that comes to in a year."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from counterfoil.catalog.rules.pricing import TIERED, Pricing, price_of
from counterfoil.core.money import currency_decimals, rounded
from counterfoil.subscriptions.rules.agreement import Agreement, Item, Version
from counterfoil.subscriptions.rules.changes import renewal_of
from counterfoil.subscriptions.rules.grid import Interval, Moment

LEFT_OUT = {
    "metered": "It is billed by usage.",
    "tiered": "It has tiers; raise it by a percentage.",
    "ends": "It ends before then.",
    "arranged": "A change of it after that day is arranged already.",
    "stands_still": "Its time stands still.",
    "in_term": "Its committed term is not over.",
    "protected": "Its price is fixed until later.",
    "already_raised": "It was raised not long ago, or will be.",
    "not_higher": "The new price is not higher.",
    "too_large": "The new price is too large.",
    "no_notice": "Nobody could be told in time.",
    "changed": "It was changed since.",
}
"""Why a price is not raised, by code."""

_DAYS_A_YEAR, _MONTHS_A_YEAR = 365, 12


def raised(
    pricing: Pricing, currency: str, *, percent: Decimal | None = None, amount: Decimal | None = None
) -> Pricing:
    """The price more by a percentage, or with another amount. Unit prices keep the decimals that they had, and have at
    least those of the currency.
    """
    if amount is not None:
        return replace(pricing, amount=amount)
    assert percent is not None
    by = Decimal(1) + percent.scaleb(-2)
    return replace(
        pricing,
        amount=None if pricing.amount is None else _times(pricing.amount, by, currency),
        tiers=tuple(replace(tier, amount=_times(tier.amount, by, currency)) for tier in pricing.tiers),
    )


def _times(amount: Decimal, by: Decimal, currency: str) -> Decimal:
    exponent = amount.normalize().as_tuple().exponent
    decimals = max(currency_decimals(currency), -exponent if isinstance(exponent, int) else 0)
    return (amount * by).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def takes_effect(item: Item, earliest: Moment, *, is_at_renewal: bool) -> Moment:
    """When a new price of the item begins: with its first period from the moment on, or at the moment itself."""
    begins = max(earliest, item.start)
    return renewal_of(item.grid, begins) if is_at_renewal else begins


def first_document(item: Item, takes: Moment) -> Moment:
    """When the first document with the new price is due."""
    return takes if item.is_in_advance else item.grid.cell_at(takes).end


def a_year(old: Pricing, new: Pricing, quantity: Decimal, interval: Interval, currency: str) -> Decimal:
    """What the difference comes to in a year, before discounts. ``interval`` is how often it is billed."""
    difference = Fraction(price_of(new, quantity)) - Fraction(price_of(old, quantity))
    times = Fraction(_MONTHS_A_YEAR, interval.months) if interval.months else Fraction(_DAYS_A_YEAR, interval.days)
    return rounded(difference * times, currency).amount


def reason_left_out(
    item: Item,
    old: Pricing,
    new: Pricing | None,
    *,
    takes_on: Moment,
    committed_beyond: bool,
    is_protected: bool,
    is_standing: bool,
    is_arranged: bool,
    was_raised: bool,
) -> str:
    """The code of why the price is not raised; empty when it is."""
    version = item.version_at(takes_on)
    reasons = (
        ("metered", item.is_metered),
        ("tiered", new is None),
        ("ends", version is None),
        ("arranged", is_arranged),
        ("stands_still", is_standing),
        ("in_term", committed_beyond),
        ("protected", is_protected),
        ("already_raised", was_raised),
        ("not_higher", new is not None and version is not None and _is_not_higher(old, new, version.quantity)),
    )
    return next((code for code, holds in reasons if holds), "")


def changes_later(agreement: Agreement, running: Version) -> bool:
    """Whether something is arranged of an item after what runs of it, other than the end of the subscription. A new
    price from now on would undo it.
    """
    return running.end is not None and (agreement.end is None or running.end < agreement.end)


def _is_not_higher(old: Pricing, new: Pricing, quantity: Decimal) -> bool:
    return price_of(new, quantity) <= price_of(old, quantity)


def with_new_price(old: Pricing, currency: str, percent: Decimal | None, amount: Decimal | None) -> Pricing | None:
    """The new price; none where an amount says nothing, since the price has tiers."""
    if amount is not None and old.model in TIERED:
        return None
    return raised(old, currency, percent=percent, amount=amount)
