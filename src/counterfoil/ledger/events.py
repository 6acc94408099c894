"""What happens to our own companies."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _EntityEvent(Event):
    see: ClassVar[str] = "ledger.see"
    topic: ClassVar[str] = "Settings"
    icon: ClassVar[str] = "landmark"


@event("ledger.entity_added")
class EntityAdded(_EntityEvent):
    words: ClassVar[str] = "Company {title} added"

    entity_id: UUID
    title: str


@event("ledger.entity_changed")
class EntityChanged(_EntityEvent):
    """``fields`` are the ids of the changed fields."""

    words: ClassVar[str] = "Company {title} changed: {fields}"

    entity_id: UUID
    title: str
    fields: tuple[str, ...]
