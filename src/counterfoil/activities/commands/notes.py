"""Writing notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.activities import events
from counterfoil.activities.commands.tasks import subject
from counterfoil.activities.models import Note
from counterfoil.core.ids import new_id
from counterfoil.plumbing.outbox import emit


@command("activities.write_note", needs="activities.change", takes={"values": Takes("activities.note")})
def write_note(*, actor: Actor, record_key: str, record_id: UUID, values: Mapping[str, Any]) -> UUID:
    """Write something down about a record that the actor may see.

    It stands on the timeline of the record's account too.
    """
    record_id, _, account_id = subject(actor, record_key, record_id)
    note = Note.objects.create(
        id=new_id(),
        text=values["text"],
        record_key=record_key,
        record_id=record_id,
        account_id=account_id,
        author_name=actor.name,
    )
    emit(events.NoteWritten(note_id=note.pk, record_id=record_id, account_id=account_id, text=note.text))
    return note.pk
