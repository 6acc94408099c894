"""Events are written with their cause, delivered at least once, and take effect once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.ids import new_id
from counterfoil.plumbing import events, jobs, outbox, registry
from counterfoil.plumbing.events import Event, event
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.plumbing.models import OutboxEvent, Receipt
from counterfoil.plumbing.outbox import deliver, emit, part_of_a_wish, subscriber, undelivered_events, write

HEARD: list[tuple[str, str]] = []


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two events, two subscribers, and commands that emit; the product's own subscribers are out of the way."""
    HEARD.clear()
    monkeypatch.setattr(events, "_by_name", {})
    monkeypatch.setattr(outbox, "_subscribers", {})
    monkeypatch.setattr(registry, "_commands", {})

    @event("tests.bell_rung")
    class BellRung(Event):
        bell: UUID
        times: int

    @event("tests.door_opened")
    class DoorOpened(Event):
        door: UUID

    @subscriber("tests.ringers", BellRung)
    def ringers(row: OutboxEvent) -> None:
        HEARD.append(("ringers", row.name))

    @subscriber("tests.everybody")
    def everybody(row: OutboxEvent) -> None:
        HEARD.append(("everybody", row.name))

    @command("tests.ring", needs="activities.change")
    def ring(*, actor: Actor, times: int, fail: bool = False) -> None:
        emit(BellRung(bell=new_id(), times=times))
        emit(DoorOpened(door=new_id()))
        if fail:
            raise RuntimeError("the rope broke")

    @command("tests.ring_inside", needs="activities.change")
    def ring_inside(*, actor: Actor) -> None:
        ring(actor=actor, times=1)
        try:
            with transaction.atomic():
                ring(actor=actor, times=2, fail=True)
        except RuntimeError:
            emit(DoorOpened(door=new_id()))

    @command("tests.ring_on", needs="activities.change")
    def ring_on(*, actor: Actor) -> None:
        ring(actor=actor, times=1)
        with suppress(RuntimeError), part_of_a_wish():
            ring(actor=actor, times=2, fail=True)
        with part_of_a_wish():
            ring(actor=actor, times=3)

    return {"ring": ring, "ring_inside": ring_inside, "ring_on": ring_on, "BellRung": BellRung}


def waiting() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT args ->> 'subscriber', status FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


@pytest.mark.django_db
def test_one_job_per_subscriber_and_transaction(house: dict[str, Any], system_actor: Actor) -> None:
    """However many events a command emits, each subscriber that wants one of them gets one job, and hears them in
    order.
    """
    house["ring"](actor=system_actor, times=3)
    assert list(OutboxEvent.objects.order_by("id").values_list("name", "command")) == [
        ("tests.bell_rung", "tests.ring"),
        ("tests.door_opened", "tests.ring"),
    ]
    assert waiting() == [("tests.everybody", "todo"), ("tests.ringers", "todo")]
    run_waiting_jobs()
    assert HEARD == [
        ("everybody", "tests.bell_rung"),
        ("everybody", "tests.door_opened"),
        ("ringers", "tests.bell_rung"),
    ]
    row = OutboxEvent.objects.get(name="tests.bell_rung")
    assert (row.payload["times"], row.actor_kind, row.actor_name, row.origin, row.depth) == (
        3,
        "system",
        "Tests",
        "test",
        0,
    )
    assert row.about == [UUID(row.payload["bell"])]


@pytest.mark.django_db
def test_rollback_leaves_nothing(house: dict[str, Any], system_actor: Actor) -> None:
    """A command that fails leaves no event and no job."""
    with pytest.raises(RuntimeError, match="rope"):
        house["ring"](actor=system_actor, times=3, fail=True)
    assert OutboxEvent.objects.count() == 0
    assert waiting() == []


@pytest.mark.django_db
def test_of_a_part_that_fails_nothing_is_told(house: dict[str, Any], system_actor: Actor) -> None:
    """The command goes on without it; what came before and after is told."""
    house["ring_on"](actor=system_actor)
    rung = OutboxEvent.objects.filter(name="tests.bell_rung").order_by("id")
    assert [row.payload["times"] for row in rung] == [1, 3]
    assert OutboxEvent.objects.count() == 4


@pytest.mark.django_db
def test_delivered_twice_takes_effect_once(house: dict[str, Any], system_actor: Actor) -> None:
    """A job that runs again after its effect changes nothing."""
    house["ring"](actor=system_actor, times=1)
    batch = str(OutboxEvent.objects.values_list("batch", flat=True)[0])
    deliver("tests.ringers", batch)
    deliver("tests.ringers", batch)
    assert HEARD == [("ringers", "tests.bell_rung")]
    assert Receipt.objects.count() == 1


@pytest.mark.django_db
def test_what_does_not_concern_a_subscriber_is_only_receipted(
    house: dict[str, Any], system_actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch, only the events that it names are handed to it; all have their receipts, once."""

    def loud(rows: Sequence[OutboxEvent]) -> set[UUID]:
        HEARD.append(("asked", str(len(rows))))
        return {row.id for row in rows if row.name == "tests.bell_rung"}

    def choosy(row: OutboxEvent) -> None:
        HEARD.append(("choosy", row.name))

    monkeypatch.setattr(outbox, "_subscribers", {})
    subscriber("tests.choosy", concerns=loud)(choosy)
    house["ring"](actor=system_actor, times=1)
    batch = str(OutboxEvent.objects.values_list("batch", flat=True)[0])
    deliver("tests.choosy", batch)
    deliver("tests.choosy", batch)
    assert HEARD == [("asked", "2"), ("choosy", "tests.bell_rung")]
    assert Receipt.objects.count() == 2


@pytest.mark.django_db
def test_failing_event_stops_no_other(
    house: dict[str, Any], system_actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that its subscriber cannot take leaves no receipt; the others are taken, and the job fails."""

    def picky(row: OutboxEvent) -> None:
        if row.name == "tests.bell_rung":
            raise ValueError("too loud")
        HEARD.append(("picky", row.name))

    monkeypatch.setattr(outbox, "_subscribers", {})
    subscriber("tests.picky")(picky)
    house["ring"](actor=system_actor, times=1)
    batch = str(OutboxEvent.objects.values_list("batch", flat=True)[0])
    with pytest.raises(ValueError, match="too loud"):
        deliver("tests.picky", batch)
    assert HEARD == [("picky", "tests.door_opened")]
    assert Receipt.objects.count() == 1


@pytest.mark.django_db
def test_sweep_finds_what_nobody_delivers(house: dict[str, Any], system_actor: Actor) -> None:
    """Events whose job was lost are found and asked for again; waiting and failed jobs are left alone."""
    house["ring"](actor=system_actor, times=1)
    assert undelivered_events() == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE args ->> 'subscriber' = 'tests.ringers'")
        cursor.execute("DELETE FROM procrastinate_jobs WHERE args ->> 'subscriber' = 'tests.everybody'")
    assert undelivered_events() == 1
    assert waiting() == [("tests.ringers", "failed"), ("tests.everybody", "todo")]
    run_waiting_jobs()
    assert undelivered_events() == 0


@pytest.mark.django_db
def test_inner_commands_share_the_batch(house: dict[str, Any], system_actor: Actor) -> None:
    """What inner commands emit is written under the outermost command's name and in its batch."""
    house["ring_inside"](actor=system_actor)
    rows = list(OutboxEvent.objects.order_by("id").values_list("command", "batch"))
    assert {name for name, _ in rows} == {"tests.ring_inside"}
    assert len({batch for _, batch in rows}) == 1


@pytest.mark.django_db
def test_chain_of_events_is_bounded(house: dict[str, Any], system_actor: Actor) -> None:
    """An event that causes itself again and again is stopped."""
    outbox._subscribers.clear()

    def again(row: OutboxEvent) -> None:
        house["ring"](actor=system_actor, times=1)

    subscriber("tests.again", house["BellRung"])(again)
    house["ring"](actor=system_actor, times=1)
    with pytest.raises(AssertionError, match="deeper than 8"):
        run_waiting_jobs()
    assert OutboxEvent.objects.filter(name="tests.bell_rung").count() == 10


@pytest.mark.django_db
def test_outbox_is_append_only(house: dict[str, Any], system_actor: Actor) -> None:
    """The database lets nobody change or remove an event."""
    house["ring"](actor=system_actor, times=1)
    for statement in ("UPDATE plumbing_outboxevent SET name = 'x'", "DELETE FROM plumbing_outboxevent"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert OutboxEvent.objects.count() == 2


def test_emitting_outside_a_command_is_a_bug(house: dict[str, Any]) -> None:
    """News without a command that made it cannot exist."""
    with pytest.raises(AssertionError, match="outside a command"):
        emit(house["BellRung"](bell=new_id(), times=1))


@pytest.mark.django_db
def test_once_means_one_waiting_job() -> None:
    """Work that waits already under a key is not asked for twice; after it began, it may be asked for again."""
    jobs.enqueue("plumbing.deliver", once="k", subscriber="a", batch="b")
    jobs.enqueue("plumbing.deliver", once="k", subscriber="a", batch="b")
    assert len(waiting()) == 1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    jobs.enqueue("plumbing.deliver", once="k", subscriber="a", batch="b")
    assert [status for _, status in waiting()] == ["doing", "todo"]


@pytest.mark.django_db
def test_an_event_may_carry_a_name(house: dict[str, Any], system_actor: Actor) -> None:
    """An event with a value called name keeps its public name and the value."""

    @event("tests.child_named")
    class ChildNamed(Event):
        child: UUID
        name: str

    @command("tests.name_child", needs="activities.change")
    def name_child(*, actor: Actor) -> None:
        emit(ChildNamed(child=new_id(), name="Ada"))

    name_child(actor=system_actor)
    row = OutboxEvent.objects.get()
    assert (row.name, row.payload["name"]) == ("tests.child_named", "Ada")


@pytest.mark.django_db
def test_nothing_to_write() -> None:
    """A command without news writes nothing."""
    write(outbox.Frame(new_id(), "tests.quiet", "system", None, "Tests"))
    assert OutboxEvent.objects.count() == 0
