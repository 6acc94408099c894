"""A price as people say it: "€100.00 monthly, in advance"."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_decimal

from counterfoil.catalog.rules.pricing import GRADUATED, PACKAGE, PER_UNIT, VOLUME, Pricing
from counterfoil.core.money import formatted_price
from counterfoil.core.places import locale_of

_EACH = {
    ("day", 1): "daily",
    ("week", 1): "weekly",
    ("month", 1): "monthly",
    ("month", 3): "quarterly",
    ("month", 6): "half-yearly",
    ("year", 1): "yearly",
}
_BILLED = {"in_advance": "in advance", "in_arrears": "in arrears"}
_TIERS = {GRADUATED: "graduated", VOLUME: "by volume"}


def price_in_words(
    pricing: Pricing,
    *,
    currency: str,
    unit: str,
    interval: str,
    count: int,
    billed: str,
    language: str,
) -> str:
    """The whole price in one line: what, how often, when."""
    what = amount_in_words(pricing, currency=currency, unit=unit, language=language)
    return f"{what} {interval_in_words(interval, count)}, {_BILLED[billed]}"


def amount_in_words(pricing: Pricing, *, currency: str, unit: str, language: str) -> str:
    """What is paid: "€10.00 per seat", "€5.00 per 1,000", "€0.005 to €0.01 per call, graduated"."""

    def money(amount: Decimal) -> str:
        return formatted_price(amount, currency, language)

    if pricing.tiers:
        amounts = sorted(tier.amount for tier in pricing.tiers)
        span = " to ".join(dict.fromkeys([money(amounts[0]), money(amounts[-1])]))
        return f"{span} per {unit or 'unit'}, {_TIERS[pricing.model]},"
    amount = money(pricing.amount or Decimal(0))
    if pricing.model == PACKAGE:
        size = format_decimal(pricing.per or Decimal(0), locale=locale_of(language), decimal_quantization=False)
        return f"{amount} per {size}{f' × {unit}' if unit else ''}"
    return f"{amount} per {unit or 'unit'}" if pricing.model == PER_UNIT else amount


def interval_in_words(interval: str, count: int) -> str:
    """How often: "monthly", "quarterly", "every 2 weeks"."""
    return _EACH.get((interval, count)) or f"every {count} {interval}s"
