"""Raising a price that was agreed: what it becomes, from when on, and what that comes to in a year."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from counterfoil.catalog.rules.pricing import DECIMALS, TIERED, Pricing, price_of
from counterfoil.core.money import currency_decimals, rounded
from counterfoil.subscriptions.rules.agreement import Agreement, Item, PastPrice, Version
from counterfoil.subscriptions.rules.changes import renewal_of
from counterfoil.subscriptions.rules.grid import Interval, Moment

LEFT_OUT = {
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


def notice_in_words(days: int | None) -> str:
    """Whether and when customers are told of an increase, with so many days of notice or none."""
    if days is None:
        return "Customers are not told"
    before = "on the day" if days == 0 else "1 day before" if days == 1 else f"{days} days before"
    return f"Customers are told {before}"


def raised(
    pricing: Pricing,
    currency: str,
    *,
    percent: Decimal | None = None,
    amount: Decimal | None = None,
    is_metered: bool = False,
) -> Pricing:
    """The price more by a percentage, or with another amount. Unit prices keep the decimals that they had, and have at
    least those of the currency; those of usage, which are often below a cent, have as many as a price can have.
    """
    if amount is not None:
        return pricing._replace(amount=amount)
    assert percent is not None
    by = Decimal(1) + percent.scaleb(-2)
    least = DECIMALS if is_metered else currency_decimals(currency)
    return pricing._replace(
        amount=None if pricing.amount is None else _times(pricing.amount, by, least),
        tiers=tuple(tier._replace(amount=_times(tier.amount, by, least)) for tier in pricing.tiers),
    )


def _times(amount: Decimal, by: Decimal, least: int) -> Decimal:
    exponent = amount.normalize().as_tuple().exponent
    decimals = max(least, -exponent if isinstance(exponent, int) else 0)
    return (amount * by).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def takes_effect(item: Item, earliest: Moment, *, is_at_renewal: bool) -> Moment:
    """When a new price of the item begins: with its first period from the moment on, or at the moment itself. What is
    used in a period has one price.
    """
    begins = max(earliest, item.start)
    return renewal_of(item.grid, begins) if is_at_renewal or item.is_metered else begins


def used_lately(item: Item, moment: Moment) -> Decimal:
    """What was used in the last whole period before a moment."""
    last = item.grid.cell(item.grid.number_at(moment) - 1)
    return sum((one.quantity for one in item.usage if last.start <= one.at < last.end), Decimal(0))


def with_past_price(item: Item, new: Pricing, moment: Moment) -> Item:
    """A metered item with another price for what is used in periods that begin at the moment or later."""
    return item._replace(pricing=new, past_prices=(*item.past_prices, PastPrice(moment, item.pricing)))


def amounts_of(pricing: Pricing) -> tuple[Decimal, ...]:
    """The amount of a price, or of each of its tiers."""
    return tuple(tier.amount for tier in pricing.tiers) if pricing.tiers else (pricing.amount or Decimal(0),)


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
        ("tiered", new is None),
        ("ends", version is None),
        ("arranged", is_arranged),
        ("stands_still", is_standing),
        ("in_term", committed_beyond),
        ("protected", is_protected),
        ("already_raised", was_raised),
        ("not_higher", new is not None and version is not None and _is_not_higher(item, old, new, version.quantity)),
    )
    return next((code for code, holds in reasons if holds), "")


def changes_later(agreement: Agreement, running: Version) -> bool:
    """Whether something is arranged of an item after what runs of it, other than the end of the subscription. A new
    price from now on would undo it.
    """
    return running.end is not None and (agreement.end is None or running.end < agreement.end)


def _is_not_higher(item: Item, old: Pricing, new: Pricing, quantity: Decimal) -> bool:
    """How much will be used nobody knows, so of usage the unit prices are compared."""
    if item.is_metered:
        return amounts_of(new) <= amounts_of(old)
    return price_of(new, quantity) <= price_of(old, quantity)


def with_new_price(item: Item, currency: str, percent: Decimal | None, amount: Decimal | None) -> Pricing | None:
    """The new price of an item; none where an amount says nothing, since the price has tiers."""
    if amount is not None and item.pricing.model in TIERED:
        return None
    return raised(item.pricing, currency, percent=percent, amount=amount, is_metered=item.is_metered)
