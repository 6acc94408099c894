"""Tasks, notes, the timeline and mail on the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema, Status
from pydantic import Field as SchemaField

from counterfoil.access.requests import Request
from counterfoil.activities import commands, queries
from counterfoil.activities.record_types import MAIL, NOTE, TASK
from counterfoil.core.errors import NotFound
from counterfoil.plumbing import clock
from counterfoil.surface.api import Order, Paging, Words, page_of, schema_for
from counterfoil.surface.as_json import row_json

router = Router()
NewTask, ChangedTask, NewNote = schema_for(TASK, "create"), schema_for(TASK, "change"), schema_for(NOTE, "create")


class TaskFilters(Paging):
    """Which tasks. ``assignee`` is a user's id."""

    is_open: bool | None = SchemaField(default=None, alias="open")
    assignee: UUID | None = None
    account: UUID | None = None


class Finish(Order):
    outcome: Words = ""


class Entry(Schema):
    """One thing that happened, in words. ``record`` names the kind of the record that it is mainly about."""

    id: UUID
    event: str
    topic: str
    sentence: str
    detail: str
    who: str
    at: datetime
    record: str
    record_id: UUID | None


class TimelinePage(Schema):
    items: list[Entry]
    topics: list[str] = SchemaField(description="What `topic` may ask for.")
    next_cursor: str | None


class TimelineQuery(Schema):
    topic: list[str] = SchemaField(default_factory=list, max_length=20)
    cursor: UUID | None = None
    limit: int = SchemaField(default=30, ge=1, le=200)


def _task(request: Request, task_id: UUID) -> dict[str, Any]:
    return row_json(queries.get_task(request.actor, task_id))


@router.get("/tasks", response=page_of(TASK), summary="List tasks")
def list_tasks(request: Request, paging: Query[TaskFilters]) -> Any:
    rows = queries.tasks(
        request.actor,
        after=paging.after,
        take=paging.take,
        is_open=paging.is_open,
        assignee=paging.assignee,
        account=paging.account,
    )
    return paging.page(rows)


@router.post("/tasks", response={201: schema_for(TASK)}, summary="Add a task")
def add_task(request: Request, values: NewTask) -> Any:  # type: ignore[valid-type]
    """`record_key` and `record_id` name the record that it is about, such as `accounts.account`."""
    task_id = commands.add_task(actor=request.actor, values=values.values())  # type: ignore[attr-defined]
    return Status(201, _task(request, task_id))


@router.get("/tasks/{uuid:task_id}", response=schema_for(TASK), summary="Get a task")
def get_task(request: Request, task_id: UUID) -> Any:
    return _task(request, task_id)


@router.patch("/tasks/{uuid:task_id}", response=schema_for(TASK), summary="Change a task")
def change_task(request: Request, task_id: UUID, values: ChangedTask) -> Any:  # type: ignore[valid-type]
    changes, version = values.change()  # type: ignore[attr-defined]
    commands.change_task(actor=request.actor, task_id=task_id, values=changes, version=version)
    return _task(request, task_id)


@router.post("/tasks/{uuid:task_id}/finish", response=schema_for(TASK), summary="Close a task")
def finish_task(request: Request, task_id: UUID, order: Finish | None = None) -> Any:
    outcome = order.outcome if order else ""
    commands.finish_tasks(actor=request.actor, task_ids=[task_id], outcome=outcome, at=clock.now())
    return _task(request, task_id)


@router.post("/tasks/{uuid:task_id}/reopen", response=schema_for(TASK), summary="Open a closed task again")
def reopen_task(request: Request, task_id: UUID) -> Any:
    commands.reopen_task(actor=request.actor, task_id=task_id)
    return _task(request, task_id)


@router.get("/records/{record_key}/{uuid:record_id}/timeline", response=TimelinePage, summary="What happened")
def timeline(request: Request, record_key: str, record_id: UUID, wanted: Query[TimelineQuery]) -> Any:
    """What happened to a record, in words, newest first."""
    queries.check_visible(request.actor, record_key, record_id)
    told = queries.timeline(
        request.actor, [record_id], kinds=wanted.topic or None, cursor=wanted.cursor, limit=wanted.limit
    )
    return {
        "items": [
            {
                "id": one.id,
                "event": one.name,
                "topic": one.topic,
                "sentence": one.sentence,
                "detail": one.detail,
                "who": one.who,
                "at": one.at,
                "record": one.record,
                "record_id": one.record_id,
            }
            for one in told.entries
        ],
        "topics": list(told.topics),
        "next_cursor": str(told.next_cursor) if told.next_cursor else None,
    }


@router.post("/records/{record_key}/{uuid:record_id}/notes", response={201: schema_for(NOTE)}, summary="Write a note")
def write_note(request: Request, record_key: str, record_id: UUID, values: NewNote) -> Any:  # type: ignore[valid-type]
    note_id = commands.write_note(
        actor=request.actor,
        record_key=record_key,
        record_id=record_id,
        values=values.values(),  # type: ignore[attr-defined]
    )
    return Status(201, row_json(queries.get_note(request.actor, note_id)))


@router.get("/mails", response=page_of(MAIL), summary="List mail")
def list_mail(request: Request, paging: Query[Paging]) -> Any:
    return paging.page(queries.mails(request.actor, after=paging.after, take=paging.take), _mail)


@router.get("/mails/{uuid:mail_id}", response=schema_for(MAIL), summary="Get a mail")
def get_mail(request: Request, mail_id: UUID) -> Any:
    """With the state of each recipient and every try to send it."""
    row = queries.get_mail(request.actor, mail_id)
    return _mail(row, tries=row.tries)


@router.post("/mails/{uuid:mail_id}/retry", response=schema_for(MAIL), summary="Send a mail again")
def retry_mail(request: Request, mail_id: UUID) -> Any:
    """To those recipients who do not have it."""
    if not request.actor.may("mail.see"):
        raise NotFound()
    commands.retry_mail(actor=request.actor, mail_id=mail_id, at=clock.now())
    return get_mail(request, mail_id)


def _mail(row: Any, **more: Any) -> dict[str, Any]:
    return row_json(row, recipients=row.recipients, **more)
