"""A catalog with a product, and the words in which these tests speak of prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.catalog import commands
from counterfoil.catalog.models import Price

ON = date(2026, 1, 1)
SYSTEM = Actor.system("Tests", origin="test")
TIERS = [{"up_to": "1000", "amount": "0.01"}, {"up_to": "", "amount": "0.005"}]


def add_product(**values: Any) -> UUID:
    given = {"name": "Support", "code": "SUP", "unit": "seat", "unit_price": "100", "currency": "EUR", **values}
    return commands.add_product(actor=SYSTEM, values=given)


def add_price(product: UUID, on: date = ON, actor: Actor = SYSTEM, **values: Any) -> UUID:
    given = {"product": str(product), "key": "support", "currency": "EUR", "interval": "month", **values}
    if "tiers" not in given:
        given = {"model": "flat", "amount": "100.00", **given}
    return commands.add_price(actor=actor, values=given, on=on)


def days(key: str = "support") -> list[tuple[Any, ...]]:
    """All versions of a key: amount, first day, the day before which they end."""
    return list(
        Price.objects.filter(key=key).order_by("valid_from", "id").values_list("amount", "valid_from", "valid_to")
    )


def version(amount: str, start: str, end: str | None = None) -> tuple[Any, ...]:
    return Decimal(amount), date.fromisoformat(start), date.fromisoformat(end) if end else None
