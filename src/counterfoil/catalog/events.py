"""What happens to the catalog."""

from __future__ import annotations

from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("catalog.product_added")
class ProductAdded(Event):
    product_id: UUID
    name: str


@event("catalog.product_changed")
class ProductChanged(Event):
    product_id: UUID
    name: str
    fields: tuple[str, ...]
