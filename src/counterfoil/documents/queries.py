"""Reading files that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.core.errors import NotFound
from counterfoil.core.ids import parse_id
from counterfoil.documents.models import StoredFile


@dataclass(frozen=True)
class FileContent:
    """A kept file, whole."""

    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    content: bytes


def file_content(actor: Actor, id: object) -> FileContent:
    """The file; ``NotFound`` for none and for an actor who lacks the right that it was stored under."""
    file = StoredFile.objects.filter(pk=parse_id(id)).first()
    if file is None or not actor.may(file.see):
        raise NotFound("This file does not exist.")
    return FileContent(
        file.pk, file.name, file.media_type, file.size, file.sha256, file.created_at, bytes(file.content)
    )


def visible_files(actor: Actor) -> Iterator[FileContent]:
    """Every file that the actor may open, in the order in which they were kept, one in memory at a time."""
    ids = StoredFile.objects.order_by("pk").values_list("pk", "see")
    for id, see in list(ids):
        if actor.may(see):
            yield file_content(actor, id)
