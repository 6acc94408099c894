"""Opening, handing on and closing tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, check, command
from counterfoil.access.models import User
from counterfoil.activities import events
from counterfoil.activities.models import Task, TaskKind
from counterfoil.activities.rules.message import one_line
from counterfoil.activities.rules.orders import TaskOrder
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing import record_types
from counterfoil.plumbing.outbox import emit

TITLE_MAX = 300


@command("activities.open_tasks", needs="activities.change")
def open_tasks(*, actor: Actor, orders: Sequence[TaskOrder]) -> list[UUID]:
    """Open tasks and answer their ids in the same order. For a cause that has an open task already, answer that one.

    An assignee who no longer works here is left out, so that the task stands in everybody's list.
    """
    active = _active({order.assignee_id for order in orders if order.assignee_id is not None})
    rows = [_row(order, active) for order in orders]
    Task.objects.bulk_create([row for row in rows if not row.cause], batch_size=500)
    with_cause = {row.cause: row for row in reversed(rows) if row.cause}
    # A task of the same cause that somebody else is opening in this moment is waited for, and then found below.
    Task.objects.bulk_create(with_cause.values(), ignore_conflicts=True, batch_size=500)
    there = dict(Task.objects.filter(cause__in=with_cause, done_at=None).values_list("cause", "id"))
    for row in rows:
        if not row.cause or there.get(row.cause) == row.pk:
            emit(
                events.TaskOpened(
                    task_id=row.pk,
                    account_id=row.account_id,
                    record_id=row.record_id,
                    title=row.title,
                    kind=row.kind,
                )
            )
    return [there[row.cause] if row.cause else row.pk for row in rows]


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
    """Open one task. With a ``cause`` there is at most one open task for it, whose id is answered."""
    order = TaskOrder(
        kind=kind,
        title=title,
        detail=detail,
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
    return open_tasks(actor=actor, orders=[order])[0]


@command("activities.add_task", needs="activities.change", takes={"values": Takes("activities.task")})
def add_task(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Write down something to do. Without an assignee it is the task of whoever wrote it."""
    record_key, record_id = values.get("record_key", ""), values.get("record_id", "")
    record_title, account_id = "", values.get("account")
    if record_key or record_id:
        record_id, record_title, of_record = subject(actor, record_key, record_id)
        account_id = account_id or of_record
    contact_id = values.get("contact")
    contact_name = subject(actor, "accounts.contact", contact_id)[1] if contact_id else ""
    assignee_id = values.get("assignee") or (actor.id if actor.kind == "user" else None)
    _check_assignee(assignee_id)
    return open_task(
        actor=actor,
        kind=values.get("kind") or "to_do",
        title=values["title"],
        detail=values.get("detail", ""),
        assignee_id=assignee_id,
        due_on=values.get("due_on"),
        record_key=record_key,
        record_id=record_id or None,
        record_title=record_title,
        account_id=account_id,
        contact_id=contact_id,
        contact_name=contact_name,
    )


@command("activities.change_task", needs="activities.change", takes={"values": Takes("activities.task", partial=True)})
def change_task(*, actor: Actor, task_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change what a task says, when it is due or whose it is. What it is about stays."""
    task = _locked(task_id, version)
    for fixed in ("record_key", "record_id", "account", "contact", "kind"):
        if fixed in values:
            raise Refusal("fixed", "What a task is about cannot be changed; close it and open another.", fixed)
    if "assignee" in values:
        _check_assignee(values["assignee"])
    for name, value in values.items():
        setattr(task, "assignee_id" if name == "assignee" else name, value)
    task.version += 1
    task.save()


@command("activities.assign_task", needs="activities.change")
def assign_task(*, actor: Actor, task_id: UUID, assignee_id: UUID | None, version: int | None = None) -> None:
    """Hand a task to a colleague, or to nobody."""
    task = _locked(task_id, version)
    _check_assignee(assignee_id)
    task.assignee_id = assignee_id
    task.version += 1
    task.save()


@command("activities.finish_tasks", needs="activities.change")
def finish_tasks(
    *,
    actor: Actor,
    at: datetime,
    task_ids: Sequence[UUID] = (),
    cause: str = "",
    causes: Sequence[str] = (),
    outcome: str = "",
) -> int:
    """Close tasks, named by their ids or by their causes, and say what came of them. Closed ones stay as they are.

    Returns how many were closed.
    """
    check(len(outcome) <= TITLE_MAX, "too_long", "The outcome can have at most 300 characters.", "outcome")
    named = [*causes, cause] if cause else list(causes)
    chosen = Task.objects.filter(cause__in=named) if named else Task.objects.filter(id__in=list(task_ids))
    found = list(chosen.select_for_update().order_by("id"))
    if not named and len(found) < len(set(task_ids)):
        raise NotFound()
    tasks = [task for task in found if task.done_at is None]
    for task in tasks:
        task.done_at, task.done_by_name, task.outcome = at, actor.name, one_line(outcome)
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
    """Take the closing of a task back. Refused when the same cause has opened another one since."""
    task = _locked(task_id, None)
    if task.done_at is None:
        return
    task.done_at, task.done_by_name, task.outcome = None, "", ""
    task.version += 1
    try:
        with transaction.atomic():
            task.save()
    except IntegrityError:
        raise Conflict("open_again", "A newer task for the same reason is open already.") from None
    emit(events.TaskReopened(task_id=task.pk, account_id=task.account_id, record_id=task.record_id, title=task.title))


def subject(actor: Actor, record_key: str, record_id: object) -> tuple[UUID, str, UUID | None]:
    """Id, title and account of the record that a task or note is about; ``NotFound`` unless the actor may see it."""
    try:
        described = record_types.record_type(record_key)
        wanted = UUID(str(record_id))
    except (KeyError, ValueError):
        raise NotFound("This record does not exist.", "record_id") from None
    record = described.model._default_manager.filter(pk=wanted).first()
    if record is None or not actor.may(described.see):
        raise NotFound("This record does not exist.", "record_id")
    account_id = wanted if record_key == "accounts.account" else getattr(record, "account_id", None)
    return wanted, described.title(record)[:TITLE_MAX], account_id or getattr(record, "payer_id", None)


def _row(order: TaskOrder, active: set[UUID]) -> Task:
    if order.kind not in TaskKind.values:
        raise ValueError(f"{order.kind} is no kind of task")
    return Task(
        id=new_id(),
        kind=order.kind,
        title=one_line(order.title)[:TITLE_MAX],
        detail=order.detail,
        assignee_id=order.assignee_id if order.assignee_id in active else None,
        due_on=order.due_on,
        record_key=order.record_key,
        record_id=order.record_id,
        record_title=order.record_title[:TITLE_MAX],
        account_id=order.account_id,
        contact_id=order.contact_id,
        contact_name=order.contact_name[:TITLE_MAX],
        amount=order.amount,
        currency=order.currency,
        cause=order.cause,
    )


def _locked(task_id: UUID, version: int | None) -> Task:
    task = Task.objects.select_for_update().filter(id=task_id).first()
    if task is None:
        raise NotFound()
    if version is not None and task.version != version:
        raise Stale()
    return task


def _active(user_ids: set[UUID]) -> set[UUID]:
    if not user_ids:
        return set()
    return set(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", flat=True))


def _check_assignee(assignee_id: UUID | None) -> None:
    if assignee_id is not None and not _active({assignee_id}):
        raise Refusal("not_active", "This colleague does not work here any more; choose another one.", "assignee")
