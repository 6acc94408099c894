"""What a quantity costs: the five models of a price, exact and never rounded.

=========  ============================================================================================
flat       the amount times the quantity: a fee that is bought once has the quantity 1, three times 3
per_unit   the amount times the quantity, which counts what is used or owned: seats, hours, calls
package    every started package of ``per`` units costs the amount
graduated  each unit costs what its own tier says: the first 1,000 this, those above that
volume     all units cost what the tier of the whole quantity says
=========  ============================================================================================

A tier's limit belongs to the tier: ``up_to`` 1000 holds the 1,000th unit. Quantities may be fractions of a unit. A
quantity of zero costs nothing. The worked tables stand in ``docs/concepts/prices.md``; the tests read them there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from functools import lru_cache
from typing import Any, NamedTuple

from counterfoil.core.errors import Problem

FLAT, PER_UNIT, PACKAGE, GRADUATED, VOLUME = "flat", "per_unit", "package", "graduated", "volume"
MODELS = (FLAT, PER_UNIT, PACKAGE, GRADUATED, VOLUME)
TIERED = frozenset({GRADUATED, VOLUME})

LARGEST = Decimal(10) ** 12
"""No amount, package or limit is as large as this."""
DECIMALS = 6
TIERS_MAX = 100

_DIGITS_MAX = 30
# A quantity of 60 digits times a price of 18 is still exact; what is not, is a bug and stops.
_EXACT = Context(prec=120, traps=[InvalidOperation, Overflow, Inexact])
_CUT = Context(prec=120, traps=[InvalidOperation, Overflow])
_SMALLEST = Decimal(1).scaleb(-DECIMALS)


class Tier(NamedTuple):
    """Units up to and with ``up_to`` cost ``amount`` each; ``None`` has no limit."""

    up_to: Decimal | None
    amount: Decimal


class Pricing(NamedTuple):
    """How a quantity becomes a price. ``amount`` is none for tiers, ``per`` is the size of a package."""

    model: str
    amount: Decimal | None = None
    per: Decimal | None = None
    tiers: tuple[Tier, ...] = ()


class Part(NamedTuple):
    """A piece of a price: its quantity times its unit price. Packages are counted in packages."""

    quantity: Decimal
    unit_price: Decimal


# What a quantity costs ------------------------------------------------------------------------------------------------


def price_of(pricing: Pricing, quantity: Decimal) -> Decimal:
    """The exact price of the quantity. ``ValueError`` for a quantity below zero or one that is no number."""
    with localcontext(_EXACT):
        return sum((part.quantity * part.unit_price for part in parts_of(pricing, quantity)), Decimal(0))


def parts_of(pricing: Pricing, quantity: Decimal) -> tuple[Part, ...]:
    """The pieces whose sum is the price: one for each tier that a graduated quantity reaches, else one; none for 0."""
    _check_quantity(quantity)
    if not quantity:
        return ()
    with localcontext(_EXACT):
        if pricing.model == GRADUATED:
            return tuple(_graduated(pricing.tiers, quantity))
        if pricing.model == VOLUME:
            return (Part(quantity, _tier_at(pricing.tiers, quantity).amount),)
        if pricing.model == PACKAGE:
            return (Part(_packages(quantity, pricing.per), _amount(pricing)),)
        if pricing.model in (FLAT, PER_UNIT):
            return (Part(quantity, _amount(pricing)),)
    raise ValueError(f"{pricing.model!r} is no model of a price")


@lru_cache(maxsize=4096)
def unit_price_shown(pricing: Pricing, quantity: Decimal) -> Decimal:
    """What stands as the unit price beside the quantity on a line.

    It is the exact unit price when the whole quantity has one. Otherwise (packages, more than one tier) it is the mean,
    rounded half up to six decimals: for reading only, the amount of the line comes from ``price_of``.
    """
    parts = parts_of(pricing, quantity)
    if not parts:
        return pricing.tiers[0].amount if pricing.model in TIERED else _amount(pricing)
    if len(parts) == 1 and parts[0].quantity == quantity:
        return parts[0].unit_price
    price = price_of(pricing, quantity)
    if not price:
        return Decimal(0)
    return _CUT.divide(price, quantity).quantize(_SMALLEST, rounding=ROUND_HALF_UP, context=_CUT)


@lru_cache(maxsize=4096)
def explain(pricing: Pricing, quantity: Decimal, *, decimals: int = 2) -> str:
    """How the price comes about, in short words: ``1,000 × 0.01 + 500 × 0.005``. ``decimals`` are the currency's."""
    parts = parts_of(pricing, quantity) or (Part(quantity, unit_price_shown(pricing, quantity)),)
    if pricing.model == PACKAGE and quantity and pricing.per is not None:
        part = parts[0]
        word = "package" if part.quantity == 1 else "packages"
        return f"{_written(part.quantity)} {word} of {_written(pricing.per)} × {_written(part.unit_price, decimals)}"
    return " + ".join(f"{_written(part.quantity)} × {_written(part.unit_price, decimals)}" for part in parts)


def _graduated(tiers: Iterable[Tier], quantity: Decimal) -> Iterator[Part]:
    below = Decimal(0)
    for tier in tiers:
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        yield Part(end - below, tier.amount)
        below = end
        if below == quantity:
            return
    raise ValueError(f"no tier holds {quantity}")


def _tier_at(tiers: Iterable[Tier], quantity: Decimal) -> Tier:
    for tier in tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            return tier
    raise ValueError(f"no tier holds {quantity}")


def _packages(quantity: Decimal, per: Decimal | None) -> Decimal:
    """How many packages are started."""
    if per is None or per <= 0:
        raise ValueError(f"{per} is no size of a package")
    whole, rest = divmod(quantity, per)
    return whole + 1 if rest else whole


def _amount(pricing: Pricing) -> Decimal:
    if pricing.amount is None:
        raise ValueError(f"a {pricing.model} price has an amount")
    return pricing.amount


def _check_quantity(quantity: Decimal) -> None:
    if not isinstance(quantity, Decimal):
        raise TypeError(f"a quantity is a Decimal, not {type(quantity).__name__}")
    exponent = quantity.as_tuple().exponent
    if not isinstance(exponent, int) or quantity < 0:
        raise ValueError(f"{quantity} is no quantity")
    if quantity and (quantity.adjusted() >= _DIGITS_MAX or exponent < -_DIGITS_MAX):
        raise ValueError(f"{quantity} has too many digits")


def _written(value: Decimal, decimals: int = 0) -> str:
    """Grouped digits, with at least so many decimals and otherwise none that say nothing."""
    with localcontext(_EXACT):
        short = value.normalize() if value else Decimal(0)
        exponent = short.as_tuple().exponent
        places = max(decimals, -exponent if isinstance(exponent, int) else 0)
        return f"{short:,.{places}f}"


# What a price may be --------------------------------------------------------------------------------------------------


def problems_of(pricing: Pricing) -> list[Problem]:
    """All that is wrong with a recurring price, each at its place: ``amount``, ``per``, ``tiers.1.up_to``."""
    if pricing.model not in MODELS:
        return [Problem("model", "not_a_choice", f"The model is one of: {', '.join(MODELS)}.")]
    if pricing.model in TIERED:
        found = list(_tier_problems(pricing.tiers))
        if pricing.amount is not None:
            found.append(Problem("amount", "not_used", "A price with tiers has its amounts in the tiers."))
    else:
        found = list(_amount_problems(pricing.amount, "amount"))
        if pricing.tiers:
            found.append(Problem("tiers", "not_used", f"Only {GRADUATED} and {VOLUME} prices have tiers."))
    found.extend(_package_problems(pricing))
    return found


def _package_problems(pricing: Pricing) -> Iterator[Problem]:
    if pricing.model != PACKAGE:
        if pricing.per is not None:
            yield Problem("per", "not_used", "Only a package has a size.")
    elif pricing.per is None:
        yield Problem("per", "missing", "Say how many units a package holds.")
    elif not pricing.per.is_finite() or pricing.per <= 0:
        yield Problem("per", "too_small", "A package holds more than nothing.")
    else:
        yield from _size_problems(pricing.per, "per", "A package")


def _amount_problems(amount: Decimal | None, at: str) -> Iterator[Problem]:
    if amount is None:
        yield Problem(at, "missing", "Say what it costs.")
    elif not amount.is_finite() or amount < 0:
        yield Problem(at, "negative", "A recurring price cannot be negative. Give a discount, or a one-off allowance.")
    else:
        yield from _size_problems(amount, at, "A price")


def _size_problems(value: Decimal, at: str, what: str) -> Iterator[Problem]:
    if value >= LARGEST:
        yield Problem(at, "too_large", f"{what} has at most 12 digits before the point.")
    elif value != value.quantize(_SMALLEST, context=_CUT):
        yield Problem(at, "too_many_decimals", f"{what} has at most {DECIMALS} decimals.")


def _tier_problems(tiers: tuple[Tier, ...]) -> Iterator[Problem]:
    if not tiers:
        yield Problem("tiers", "no_tiers", "Add the tiers, the last without a limit.")
        return
    if len(tiers) > TIERS_MAX:
        yield Problem("tiers", "too_many", f"At most {TIERS_MAX} tiers are possible.")
        return
    highest, last = Decimal(0), len(tiers) - 1
    for place, tier in enumerate(tiers):
        at = f"tiers.{place}"
        yield from _amount_problems(tier.amount, f"{at}.amount")
        limit = tier.up_to
        if limit is None:
            if place < last:
                yield Problem(f"{at}.up_to", "overlapping", "Only the last tier is without a limit.")
        elif place == last:
            yield Problem(f"{at}.up_to", "not_open", "The last tier has no limit, or units above it had no price.")
        elif not limit.is_finite() or limit <= 0:
            yield Problem(f"{at}.up_to", "too_small", "A limit is above zero.")
        elif limit <= highest:
            yield Problem(f"{at}.up_to", "overlapping", f"The limit must be above {_written(highest)}.")
        else:
            yield from _size_problems(limit, f"{at}.up_to", "A limit")
            highest = limit


# Tiers as they are kept -----------------------------------------------------------------------------------------------


def tiers_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Tier, ...]:
    """Tiers from rows of ``up_to`` and ``amount``, as JSON or as a form has them. ``ValueError`` for other rows."""
    found = []
    for row in rows:
        unknown = set(row) - {"up_to", "amount"}
        if unknown or row.get("amount") in (None, ""):
            raise ValueError(f"{dict(row)} is no tier")
        limit = row.get("up_to")
        try:
            found.append(Tier(None if limit in (None, "") else Decimal(str(limit)), Decimal(str(row["amount"]))))
        except InvalidOperation:
            raise ValueError(f"{dict(row)} is no tier") from None
    return tuple(found)


_PLAIN_NUMBER = r"-?\d{1,20}(?:\.\d{1,20})?"
_IN_A_CELL = re.compile(rf"((?P<limit>{_PLAIN_NUMBER})\s*:\s*)?(?P<amount>{_PLAIN_NUMBER})", re.ASCII)


def tiers_in_text(text: str) -> tuple[Tier, ...]:
    """Tiers as people write them in a cell: ``1000: 0.01; 0.005``, the last without a limit. ``ValueError`` for what
    is none, in words for people.
    """
    rows: list[dict[str, str]] = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        found = _IN_A_CELL.fullmatch(part)
        if found is None:
            raise ValueError(f"“{part[:40]}” is no tier.")
        rows.append({"up_to": found["limit"] or "", "amount": found["amount"]})
    return tiers_from(rows)


def tiers_as_rows(tiers: Iterable[Tier]) -> list[dict[str, str | None]]:
    """Tiers as JSON keeps them: decimals as text, without zeros that say nothing."""
    return [
        {"up_to": None if tier.up_to is None else _plain(tier.up_to), "amount": _plain(tier.amount)} for tier in tiers
    ]


def _plain(value: Decimal) -> str:
    return f"{value.normalize(_EXACT) if value else Decimal(0):f}"
