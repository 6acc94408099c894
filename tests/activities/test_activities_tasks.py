"""Tasks are opened once for a cause, closed, reopened; notes and events make the timeline."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from activities_world import AT, ON, SYSTEM, events, user

from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.activities import commands, queries
from counterfoil.activities.models import Note, Task
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale

pytestmark = pytest.mark.django_db


def account(name: str = "Acme") -> UUID:
    return accounts.add_account(actor=SYSTEM, values={"legal_name": name}, on=ON)


def test_one_cause_has_one_open_task() -> None:
    """Opening a task for a cause that has an open one answers that one; once it is closed, a new one is opened."""
    first = commands.open_task(actor=SYSTEM, kind="follow_up", title="Call Acme", cause="payment-failed:1")
    assert commands.open_task(actor=SYSTEM, kind="follow_up", title="Call again", cause="payment-failed:1") == first
    assert Task.objects.get().title == "Call Acme"
    commands.finish_tasks(actor=SYSTEM, cause="payment-failed:1", outcome="Paid", at=AT)
    second = commands.open_task(actor=SYSTEM, kind="follow_up", title="Call again", cause="payment-failed:1")
    assert second != first
    assert events() == ["task_opened", "task_done", "task_opened"]
    with pytest.raises(Conflict):
        commands.reopen_task(actor=SYSTEM, task_id=first)


def test_a_set_of_tasks_answers_in_order() -> None:
    """Many orders in one call: one id each, and orders of one cause share a task."""
    orders = [commands.TaskOrder(kind="to_do", title=f"T{number}", cause=cause) for number, cause in enumerate("aab")]
    ids = commands.open_tasks(actor=SYSTEM, orders=[*orders, commands.TaskOrder(kind="to_do", title="Free")])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert [task.title for task in Task.objects.order_by("title")] == ["Free", "T0", "T2"]


def test_done_is_undone() -> None:
    """A closed task says who closed it and when; reopening takes all of that back."""
    bea = user("Bea", "billing")
    task = commands.open_task(actor=SYSTEM, title="Call")
    assert commands.finish_tasks(actor=bea, task_ids=[task], outcome="Promised", at=AT) == 1
    row = queries.get_task(bea, task)
    assert (row.state, row.done_at, row.done_by_name, row.outcome) == ("done", AT, "Bea", "Promised")
    assert commands.finish_tasks(actor=bea, task_ids=[task], at=AT) == 0
    commands.reopen_task(actor=bea, task_id=task)
    row = queries.get_task(bea, task)
    assert (row.state, row.done_at, row.done_by_name, row.outcome) == ("open", None, "", "")
    assert events() == ["task_opened", "task_done", "task_reopened"]


def test_a_person_writes_a_task_for_somebody() -> None:
    """A task about an account knows its title; without an assignee it is the writer's own."""
    bea, sam = user("Bea", "billing"), user("Sam", "sales")
    acme = account()
    task = commands.add_task(
        actor=bea,
        values={
            "title": "Ask for the PO number",
            "assignee": str(sam.id),
            "due_on": "2026-04-03",
            "record_key": "accounts.account",
            "record_id": str(acme),
        },
    )
    row = queries.get_task(sam, task)
    assert (row.record_title, row.account_title, row.assignee_title) == ("Acme", "Acme", "Sam")
    own = commands.add_task(actor=bea, values={"title": "Tidy up"})
    assert queries.get_task(bea, own).assignee == bea.id
    assert [one.title for one in queries.list_tasks(sam, mine=True).rows] == ["Ask for the PO number"]
    assert [one.title for one in queries.list_tasks(sam).rows] == ["Ask for the PO number", "Tidy up"]
    assert [one.title for one in queries.tasks_of(sam, acme)] == ["Ask for the PO number"]


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({}, "title", "missing"),
        ({"title": "x" * 301}, "title", "too_long"),
        ({"title": "a\x00b"}, "title", "control_character"),
        ({"title": "T", "kind": "chore"}, "kind", "not_a_choice"),
        ({"title": "T", "due_on": "2026-02-30"}, "due_on", "not_a_date"),
        ({"title": "T", "assignee": str(uuid4())}, "assignee", "no_such_record"),
        ({"title": "T", "record_key": "accounts.account", "record_id": str(uuid4())}, "record_id", "not_found"),
        ({"title": "T", "record_key": "nothing", "record_id": "x"}, "record_id", "not_found"),
        ({"title": "T", "outcome": "Done"}, "outcome", "read_only"),
    ],
)
def test_bad_input_is_refused(values: dict[str, str], field: str, code: str) -> None:
    """Each wrong value is refused at its field, and no task is opened."""
    with pytest.raises(Refusal) as refused:
        commands.add_task(actor=user("Bea", "billing"), values=values)
    assert [(one.field, one.code) for one in refused.value.problems] == [(field, code)]
    assert not Task.objects.exists()


def test_whoever_left_gets_no_task() -> None:
    """A person cannot hand a task to somebody who left; the product leaves such a task to everybody."""
    gone = user("Gone", "sales")
    User.objects.filter(pk=gone.id).update(is_active=False)
    with pytest.raises(Refusal):
        commands.add_task(actor=SYSTEM, values={"title": "T", "assignee": str(gone.id)})
    task = commands.open_task(actor=SYSTEM, title="T", assignee_id=gone.id)
    assert Task.objects.get(pk=task).assignee_id is None
    with pytest.raises(Refusal):
        commands.assign_task(actor=SYSTEM, task_id=task, assignee_id=gone.id)


def test_two_people_change_one_task() -> None:
    """The second one's version is stale, and the first one's change stays."""
    task = commands.open_task(actor=SYSTEM, title="T")
    commands.change_task(actor=SYSTEM, task_id=task, values={"title": "First"}, version=1)
    with pytest.raises(Stale):
        commands.change_task(actor=SYSTEM, task_id=task, values={"title": "Second"}, version=1)
    assert Task.objects.get().title == "First"
    with pytest.raises(Refusal):
        commands.change_task(actor=SYSTEM, task_id=task, values={"kind": "alarm"}, version=2)


def test_the_accountant_reads_and_changes_nothing() -> None:
    """Reading is open, every verb is refused, and nothing changes."""
    archie = user("Archie", "accountant")
    task = commands.open_task(actor=SYSTEM, title="T")
    for refused in (
        lambda: commands.finish_tasks(actor=archie, task_ids=[task], at=AT),
        lambda: commands.add_task(actor=archie, values={"title": "Mine"}),
        lambda: commands.change_task(actor=archie, task_id=task, values={"title": "Mine"}, version=1),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert [(one.title, one.done_at, one.version) for one in Task.objects.all()] == [("T", None, 1)]
    assert queries.get_task(archie, task).title == "T"


def test_tasks_come_by_their_day() -> None:
    """Due tasks first, those without a day last; filters and search narrow them."""
    for title, day in (("later", 9), ("soon", 2), ("some day", None)):
        due = ON + timedelta(days=day) if day else None
        commands.open_task(actor=SYSTEM, title=title, due_on=due, kind="follow_up" if day == 2 else "to_do")
    rows = queries.list_tasks(SYSTEM)
    assert ([one.title for one in rows.rows], rows.count) == (["soon", "later", "some day"], 3)
    found = queries.list_tasks(SYSTEM, filters={"kind": ["follow_up"], "due_on": (None, ON + timedelta(days=5))})
    assert [one.title for one in found.rows] == ["soon"]
    assert [one.title for one in queries.list_tasks(SYSTEM, text="LATER").rows] == ["later"]


def test_a_note_stands_on_the_timeline_of_record_and_account() -> None:
    """What happened is told newest first, in words, with a note's own lines kept."""
    bea = user("Bea", "billing")
    acme = account()
    contact = accounts.add_contact(actor=SYSTEM, values={"name": "Paula"}, on=ON)
    values = {"text": "Pays on Fridays.\nAsk for Paula."}
    commands.write_note(actor=bea, record_key="accounts.account", record_id=acme, values=values)
    commands.open_task(actor=bea, title="Call", account_id=acme, amount=Decimal(1), currency="EUR")
    told = queries.timeline(bea, [acme])
    assert [(one.topic, one.sentence, one.detail, one.who) for one in told.entries[:2]] == [
        ("Tasks", "Task opened: Call", "", "Bea"),
        ("Notes", "Note", "Pays on Fridays.\nAsk for Paula.", "Bea"),
    ]
    assert told.entries[-1].name == "accounts.account_added"
    assert told.next_cursor is None
    only = queries.timeline(bea, [acme], kinds=["Notes"], limit=1)
    assert [one.name for one in only.entries] == ["activities.note_written"]
    first = queries.timeline(bea, [acme], limit=1)
    rest = queries.timeline(bea, [acme], cursor=first.next_cursor)
    assert [*first.entries, *rest.entries] == list(told.entries)
    assert queries.timeline(bea, [contact]).entries[0].record_id == contact


def test_the_timeline_hides_what_the_actor_may_not_see() -> None:
    """Nobody who is not logged in is told anything, and a note on a record that does not exist is refused."""
    acme = account()
    assert queries.timeline(Actor.nobody(), [acme]).entries == ()
    with pytest.raises(NotFound):
        commands.write_note(actor=SYSTEM, record_key="accounts.account", record_id=uuid4(), values={"text": "Hm"})
    assert not Note.objects.exists()
