"""What happens to imports."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("importing.batch_loaded")
class BatchLoaded(Event):
    batch_id: UUID
    file_name: str
    kind: str
    new: int
    updated: int
    left_out: int
    words: ClassVar[str] = "{file_name} imported: {new} new, {updated} updated, {left_out} left out"
    icon: ClassVar[str] = "import"
    see: ClassVar[str] = "importing.see"


@event("importing.batch_undone")
class BatchUndone(Event):
    batch_id: UUID
    file_name: str
    removed: int
    kept: int
    words: ClassVar[str] = "Import of {file_name} undone: {removed} taken back, {kept} kept"
    icon: ClassVar[str] = "undo-2"
    see: ClassVar[str] = "importing.see"
