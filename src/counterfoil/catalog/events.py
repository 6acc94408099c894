"""What happens to the catalog."""

from __future__ import annotations

from datetime import date
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


@event("catalog.price_added")
class PriceAdded(_CatalogEvent):
    words: ClassVar[str] = "Price {key} added from {valid_from}"
    icon: ClassVar[str] = "tag"

    price_id: UUID
    product_id: UUID
    key: str
    valid_from: date


@event("catalog.price_changed")
class PriceChanged(_CatalogEvent):
    """``price_id`` is the version that holds from the day on, ``before_id`` the one that held till then."""

    words: ClassVar[str] = "Price {key} changed from {valid_from}"
    icon: ClassVar[str] = "tag"

    price_id: UUID
    before_id: UUID
    product_id: UUID
    key: str
    valid_from: date


@event("catalog.price_retired")
class PriceRetired(_CatalogEvent):
    words: ClassVar[str] = "Price {key} offered until {valid_to}"
    icon: ClassVar[str] = "tag"

    price_id: UUID
    product_id: UUID
    key: str
    valid_to: date


@event("catalog.price_list_added")
class PriceListAdded(_CatalogEvent):
    words: ClassVar[str] = "Price list {name} added"
    icon: ClassVar[str] = "tags"

    price_list_id: UUID
    name: str


@event("catalog.price_list_changed")
class PriceListChanged(_CatalogEvent):
    """``fields`` are the ids of the changed fields."""

    words: ClassVar[str] = "Price list {name} changed: {fields}"
    icon: ClassVar[str] = "tags"

    price_list_id: UUID
    name: str
    fields: tuple[str, ...]
