"""Days and quantities as pages and programs give them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from counterfoil.core.errors import Refusal
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value, record_type

QUANTITY = Field("quantity", "Quantity", Kind.DECIMAL, minimum=Decimal(0))


def day_from(raw: Any, otherwise: date | None = None) -> date:
    """The day that was given as ``valid_from``, else the other one; refused at its box when there is neither."""
    try:
        day = clean_value(record_type("catalog.price").by_id["valid_from"], raw)
    except BadValue as bad:
        raise Refusal(bad.code, bad.message, "valid_from") from None
    found: date | None = day or otherwise
    if found is None:
        raise Refusal("missing", "Say from which day on.", "valid_from")
    return found


def quantity_from(raw: Any) -> Decimal | None:
    """The quantity, or none for nothing; a refusal for what is none."""
    try:
        quantity: Decimal | None = clean_value(QUANTITY, raw)
    except BadValue as bad:
        raise Refusal(bad.code, bad.message, "quantity") from None
    return quantity
