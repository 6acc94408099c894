"""When billing an account stops for the day, so that a mistake never becomes hundreds of documents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most so many documents and, if said, so much money for an account in a day."""

    documents: int
    amount: Decimal | None = None


def reason_to_park(bounds: Bounds, documents: int, amount: Decimal, currency: str = "") -> str | None:
    """Why the account is parked with these documents and this amount in a day; none when they are within bounds.
    ``currency`` is that of the amount, if it has one.
    """
    if documents > bounds.documents:
        return f"{documents} documents in one day; more than {bounds.documents} are held back."
    if bounds.amount is not None and amount > bounds.amount:
        return f"{_short(amount, currency)} in one day; more than {_short(bounds.amount, currency)} is held back."
    return None


def _short(amount: Decimal, currency: str) -> str:
    """An amount without zeros that say nothing."""
    whole, _, part = f"{amount.normalize():,f}".partition(".")
    return f"{whole}.{part:0<2} {currency}".rstrip() if part else f"{whole} {currency}".rstrip()
