"""Opening, finishing and assigning tasks; writing notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.access.models import User
from counterfoil.activities import events
from counterfoil.activities.models import Note, Task, TaskKind
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import emit
from counterfoil.plumbing.record_types import BadValue, Field, Kind, clean_value

_TITLE = Field("title", "What to do", max_length=300, required=True)
_DETAIL = Field("detail", "Detail", Kind.PARAGRAPH)
_NOTE = Field("text", "Note", Kind.PARAGRAPH, required=True)


@command("activities.open_task", needs="activities.change")
def open_task(
    *,
    actor: Actor,
    title: str,
    kind: str = "to_do",
    detail: str = "",
    assignee_id: UUID | None = None,
    due_on: date | None = None,
    record_key: str = "",
    record_id: UUID | None = None,
    record_title: str = "",
    account_id: UUID | None = None,
    contact_id: UUID | None = None,
    contact_name: str = "",
    amount: Decimal | None = None,
    currency: str = "",
    cause: str = "",
) -> UUID:
    """Open a task. While one of the same ``cause`` is open, that one is answered and nothing is added."""
    if kind not in TaskKind.values:
        raise Refusal("not_a_choice", "There is no such kind of task.", "kind")
    if assignee_id is not None and not User.objects.filter(id=assignee_id, is_active=True).exists():
        assignee_id = None
    task = Task(
        id=new_id(),
        created_at=clock.now(),
        kind=kind,
        title=_text(_TITLE, title),
        detail=_text(_DETAIL, detail),
        assignee_id=assignee_id,
        due_on=due_on,
        record_key=record_key,
        record_id=record_id,
        record_title=record_title,
        account_id=account_id,
        contact_id=contact_id,
        contact_name=contact_name,
        amount=amount,
        currency=currency,
        cause=cause,
    )
    try:
        with transaction.atomic():
            task.save(force_insert=True)
    except IntegrityError:
        known = Task.objects.filter(cause=cause, done_at=None).values_list("id", flat=True).first() if cause else None
        if known is None:
            raise
        return known
    emit(events.TaskOpened(task_id=task.pk, account_id=account_id, record_id=record_id, title=task.title, kind=kind))
    return task.pk


@command("activities.finish_tasks", needs="activities.change")
def finish_tasks(
    *, actor: Actor, task_ids: Sequence[UUID] = (), cause: str = "", outcome: str = "", at: datetime
) -> int:
    """Finish tasks by id, or the open one of a cause. Those that are done already are left alone. Returns how many."""
    wanted = Task.objects.select_for_update().filter(done_at=None)
    wanted = wanted.filter(cause=cause) if cause else wanted.filter(id__in=list(task_ids))
    tasks = list(wanted.order_by("id"))
    for task in tasks:
        task.done_at, task.done_by_name, task.outcome = at, actor.name, outcome[:300]
        task.version += 1
        emit(
            events.TaskDone(
                task_id=task.pk,
                account_id=task.account_id,
                record_id=task.record_id,
                title=task.title,
                outcome=task.outcome,
            )
        )
    Task.objects.bulk_update(tasks, ["done_at", "done_by_name", "outcome", "version"], batch_size=500)
    return len(tasks)


@command("activities.reopen_task", needs="activities.change")
def reopen_task(*, actor: Actor, task_id: UUID) -> None:
    """Undo the finishing of a task."""
    task = _locked(task_id, None)
    if task.done_at is None:
        return
    task.done_at, task.done_by_name, task.outcome = None, "", ""
    task.version += 1
    try:
        with transaction.atomic():
            task.save()
    except IntegrityError:
        raise Conflict("opened_again", "A new task was opened for the same reason.") from None
    emit(
        events.TaskOpened(
            task_id=task.pk, account_id=task.account_id, record_id=task.record_id, title=task.title, kind=task.kind
        )
    )


@command("activities.assign_task", needs="activities.change")
def assign_task(*, actor: Actor, task_id: UUID, assignee_id: UUID | None, version: int | None) -> None:
    """Give a task to a colleague, or to nobody."""
    task = _locked(task_id, version)
    if assignee_id is not None and not User.objects.filter(id=assignee_id, is_active=True).exists():
        raise Refusal("no_such_record", "There is no such colleague.", "assignee")
    task.assignee_id = assignee_id
    task.version += 1
    task.save()


@command("activities.write_note", needs="activities.change")
def write_note(*, actor: Actor, text: str, record_key: str, record_id: UUID, account_id: UUID | None = None) -> UUID:
    """Write down something about a record. It stands on the timeline of the record and of its account."""
    note = Note.objects.create(
        text=_text(_NOTE, text),
        record_key=record_key,
        record_id=record_id,
        account_id=account_id,
        author_name=actor.name,
        created_at=clock.now(),
    )
    emit(events.NoteWritten(note_id=note.pk, record_id=record_id, account_id=account_id, text=note.text[:300]))
    return note.pk


def _locked(task_id: UUID, version: int | None) -> Task:
    task = Task.objects.select_for_update().filter(id=task_id).first()
    if task is None:
        raise NotFound()
    if version is not None and task.version != version:
        raise Stale()
    return task


def _text(described: Field, raw: str) -> str:
    try:
        text: str = clean_value(described, raw)
    except BadValue as bad:
        raise Refusal(bad.code, bad.message, described.id) from None
    if described.required and not text:
        raise Refusal("missing", f"{described.label} is missing.", described.id)
    return text
