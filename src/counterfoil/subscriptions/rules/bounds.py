"""When billing an account stops for the day, so that a mistake never becomes hundreds of documents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most so many documents and, if said, so much money for an account in a day."""

    documents: int
    amount: Decimal | None = None


def reason_to_park(bounds: Bounds, documents: int, amount: Decimal) -> str | None:
    """Why the account is parked with these documents and this amount in a day; none when they are within bounds."""
    if documents > bounds.documents:
        return f"{documents} documents in one day; more than {bounds.documents} are held back."
    if bounds.amount is not None and amount > bounds.amount:
        return f"{_short(amount)} in one day; more than {_short(bounds.amount)} is held back."
    return None


def _short(amount: Decimal) -> str:
    """An amount without zeros that say nothing."""
    return f"{amount.normalize():,f}"
