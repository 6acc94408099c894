"""The timeline of any record: what the outbox holds about it, in words, newest first.

It tells an actor only of events of kinds that the actor may see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.activities.rules.wording import plain_sentence, sentence, text
from counterfoil.plumbing.events import Event, event_class, event_names
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.plumbing.record_types import RecordType, record_types

PAGE = 30
PAGE_MAX = 200


@dataclass(frozen=True)
class Happened:
    """One entry. ``record`` is the key and ``page`` the URL name of the record that it opens, if the actor may see
    that.
    """

    id: UUID
    name: str
    topic: str
    icon: str
    sentence: str
    detail: str
    who: str
    at: datetime
    record: str = ""
    page: str = ""
    record_id: UUID | None = None


@dataclass(frozen=True)
class Timeline:
    """A page of entries. ``topics`` are what the reader can choose from; ``next_cursor`` is the last entry's id."""

    entries: tuple[Happened, ...]
    topics: tuple[str, ...]
    next_cursor: UUID | None


def timeline(
    actor: Actor,
    record_ids: Iterable[UUID],
    *,
    kinds: Collection[str] | None = None,
    cursor: UUID | None = None,
    limit: int = PAGE,
    language: str = "en",
) -> Timeline:
    """What happened to any of the records. ``kinds`` are topics such as ``Mail`` and ``Invoices``; ``None`` means all.

    The caller has made sure that the actor may see the records themselves.
    """
    take = max(1, min(limit, PAGE_MAX))
    open_names = {name: topic for name, topic in _topics().items() if actor.may(_needed(event_class(name), name))}
    names = [name for name, topic in open_names.items() if kinds is None or topic in kinds]
    of_records = OutboxEvent.objects.filter(about__overlap=list(record_ids))
    about = of_records.filter(name__in=names)
    if cursor is not None:
        about = about.filter(id__lt=cursor)
    found = list(about.order_by("-id")[: take + 1])
    kinds_of_record = {described.key.rpartition(".")[2]: described for described in record_types()}
    entries = tuple(_told(actor, one, kinds_of_record, language) for one in found[:take])
    more = len(found) > take
    seen = set(of_records.order_by().values_list("name", flat=True).distinct()) if cursor is None else set()
    topics = {topic for name, topic in open_names.items() if name in seen}
    return Timeline(entries, tuple(sorted(topics)), found[take - 1].id if more else None)


def _topics() -> dict[str, str]:
    """Every event's name with its topic: the event's own word, else the room's name."""
    return {name: _topic(event_class(name), name) for name in event_names()}


def _topic(kind: type[Event], name: str) -> str:
    return str(getattr(kind, "topic", "") or name.partition(".")[0].capitalize())


def _needed(kind: type[Event], name: str) -> str:
    """The right without which an event is not told: the event's own, else that of its room."""
    own = str(getattr(kind, "see", ""))
    if own:
        return own
    of_room = f"{name.partition('.')[0]}.see"
    return of_room if of_room in PERMISSIONS else "system.see"


def _told(actor: Actor, row: OutboxEvent, kinds_of_record: dict[str, RecordType], language: str) -> Happened:
    kind = event_class(row.name)
    types = {one.name: str(one.type) for one in fields(kind)}  # type: ignore[arg-type]
    words, detail = str(getattr(kind, "words", "")), str(getattr(kind, "detail", ""))
    described, record_id = _opens(actor, row.payload, types, kinds_of_record)
    return Happened(
        id=row.id,
        name=row.name,
        topic=_topic(kind, row.name),
        icon=str(getattr(kind, "icon", "dot")),
        sentence=sentence(words, row.payload, types, language) if words else plain_sentence(row.name),
        detail=text(detail, row.payload, types, language) if detail else "",
        who=row.actor_name,
        at=row.happened_at,
        record=described.key if described else "",
        page=described.page if described else "",
        record_id=record_id,
    )


def _opens(
    actor: Actor, payload: dict[str, Any], types: dict[str, str], kinds_of_record: dict[str, RecordType]
) -> tuple[RecordType | None, UUID | None]:
    """The first record that the event names by ``<kind>_id``, which is the one it is mainly about."""
    for name in types:
        described = kinds_of_record.get(name.removesuffix("_id")) if name.endswith("_id") else None
        if described is not None and payload.get(name) and described.page and actor.may(described.see):
            return described, UUID(str(payload[name]))
    return None, None
