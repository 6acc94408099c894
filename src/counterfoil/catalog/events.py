"""What happens to the catalog."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _CatalogEvent(Event):
    see: ClassVar[str] = "catalog.see"
    topic: ClassVar[str] = "Catalog"
    icon: ClassVar[str] = "package"


@event("catalog.product_added")
class ProductAdded(_CatalogEvent):
    words: ClassVar[str] = "{name} added to the catalog"

    product_id: UUID
    name: str


@event("catalog.product_changed")
class ProductChanged(_CatalogEvent):
    """``fields`` are the ids of the changed fields."""

    words: ClassVar[str] = "{name} changed: {fields}"
    icon: ClassVar[str] = "pencil"

    product_id: UUID
    name: str
    fields: tuple[str, ...]
