"""Events written in the transaction of their cause, and delivered at least once, in effect once.

``emit`` collects; when the outermost command ends, the door calls ``write`` inside the same transaction: all events in
one statement, and one delivery job per subscriber. A rollback leaves no event and no job. The delivery takes one event
at a time: receipt and effect share a transaction, so a crash repeats neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.bulk import insert_rows, new_row
from counterfoil.plumbing.events import Event, payload_of, subjects_of
from counterfoil.plumbing.jobs import enqueue, enqueue_many, job, sweep
from counterfoil.plumbing.models import OutboxEvent, Receipt

MAX_DEPTH = 8
SWEEP_WINDOW = timedelta(days=7)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Frame:
    """One run of an outermost command: who, what, and the events so far."""

    run: UUID
    command: str
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    origin: str = ""
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """The event whose delivery is running now."""

    event: UUID
    origin: str
    depth: int


@dataclass(frozen=True)
class Subscriber:
    name: str
    events: frozenset[str] | None  # None hears everything
    take: Callable[[OutboxEvent], None]
    concerns: Callable[[Sequence[OutboxEvent]], set[UUID]] | None = None


frame: ContextVar[Frame | None] = ContextVar("counterfoil_command_frame", default=None)
cause: ContextVar[Cause | None] = ContextVar("counterfoil_event_cause", default=None)
_subscribers: dict[str, Subscriber] = {}


def emit(happened: Event) -> None:
    """Tell the house what happened. Only within a command."""
    current = frame.get()
    if current is None:
        raise AssertionError(f"{happened.event_name} was emitted outside a command")
    current.events.append(happened)


@contextmanager
def part_of_a_wish() -> Iterator[None]:
    """A part that may fail while the rest goes on: then nothing of it is written, and nothing of it is told."""
    current = frame.get()
    told = 0 if current is None else len(current.events)
    try:
        with transaction.atomic():
            yield
    except BaseException:
        if current is not None:
            del current.events[told:]
        raise


def subscriber(
    name: str, *events: type[Event], concerns: Callable[[Sequence[OutboxEvent]], set[UUID]] | None = None
) -> Callable[[F], F]:
    """Register a reaction. Without ``events`` it hears every event. It receives the ``OutboxEvent`` row.

    ``concerns`` names those of a batch's events that there is something to do about; the others are receipted at once.
    For events that come by the thousand and mostly mean nothing to the subscriber.
    """

    def register(function: F) -> F:
        wanted = frozenset(item.event_name for item in events) or None
        _subscribers[name] = Subscriber(name, wanted, function, concerns)
        return function

    return register


def subscribers() -> list[Subscriber]:
    return [_subscribers[name] for name in sorted(_subscribers)]


def write(current: Frame) -> None:
    """Write the frame's events and ask for one delivery per subscriber that wants any of them."""
    if not current.events:
        return
    because = cause.get()
    depth = because.depth + 1 if because else 0
    at = clock.now()
    insert_rows(
        new_row(
            OutboxEvent,
            id=new_id(),
            batch=current.run,
            name=happened.event_name,
            payload=payload_of(happened),
            about=subjects_of(happened),
            actor_kind=current.actor_kind,
            actor_id=current.actor_id,
            actor_name=current.actor_name,
            command=current.command,
            cause=because.event if because else None,
            origin=because.origin if because else current.origin,
            depth=depth,
            happened_at=at,
        )
        for happened in current.events
    )
    names = {happened.event_name for happened in current.events}
    listening = [one for one in subscribers() if one.events is None or one.events & names]
    enqueue_many("plumbing.deliver", [{"subscriber": one.name, "batch": current.run} for one in listening])


def undelivered(listener: Subscriber, batch: UUID) -> Sequence[OutboxEvent]:
    rows = OutboxEvent.objects.filter(batch=batch).order_by("id")
    if listener.events is not None:
        rows = rows.filter(name__in=listener.events)
    taken = Receipt.objects.filter(subscriber=listener.name, event_id__in=rows.values("id")).values("event_id")
    return list(rows.exclude(id__in=taken))


@job("plumbing.deliver", queue_name="events")
def deliver(subscriber: str, batch: str) -> None:
    """Hand a batch's events to one subscriber.

    A failing event does not stop the others; the job fails and is repeated.
    """
    listener = _subscribers[subscriber]
    failure: Exception | None = None
    for row in _concerning(listener, undelivered(listener, UUID(batch))):
        if row.depth > MAX_DEPTH:
            raise AssertionError(f"a chain of events is deeper than {MAX_DEPTH}: {row.name}")
        try:
            _deliver_one(listener, row)
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _concerning(listener: Subscriber, rows: Sequence[OutboxEvent]) -> Sequence[OutboxEvent]:
    """The events that the subscriber has something to do about. The others get their receipts."""
    if listener.concerns is None or not rows:
        return rows
    concerned = listener.concerns(rows)
    Receipt.objects.bulk_create(
        [Receipt(event_id=row.id, subscriber=listener.name) for row in rows if row.id not in concerned],
        ignore_conflicts=True,
    )
    return [row for row in rows if row.id in concerned]


def _deliver_one(listener: Subscriber, row: OutboxEvent) -> None:
    token = cause.set(Cause(row.id, row.origin, row.depth))
    try:
        with transaction.atomic():
            _, is_new = Receipt.objects.get_or_create(event_id=row.id, subscriber=listener.name)
            if is_new:
                listener.take(row)
    finally:
        cause.reset(token)


@sweep("plumbing.undelivered_events")
def undelivered_events() -> int:
    """Batches of the last week that a subscriber has not taken whole and that no job will deliver any more."""
    from django.db import connection

    found = 0
    for listener in subscribers():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT DISTINCT e.batch FROM plumbing_outboxevent e
                WHERE e.happened_at > %(since)s
                  AND (%(names)s::text[] IS NULL OR e.name = ANY(%(names)s))
                  AND NOT EXISTS (SELECT 1 FROM plumbing_receipt r
                                  WHERE r.event_id = e.id AND r.subscriber = %(subscriber)s)
                  AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                                  WHERE j.task_name = 'plumbing.deliver' AND j.status IN ('todo', 'doing', 'failed')
                                    AND j.args ->> 'subscriber' = %(subscriber)s
                                    AND j.args ->> 'batch' = e.batch::text)
                LIMIT 1000
                """,
                {
                    "since": clock.now() - SWEEP_WINDOW,
                    "names": None if listener.events is None else sorted(listener.events),
                    "subscriber": listener.name,
                },
            )
            for (batch,) in cursor.fetchall():
                enqueue("plumbing.deliver", subscriber=listener.name, batch=batch)
                found += 1
    return found
