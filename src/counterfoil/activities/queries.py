"""Tasks and mail, for those who may see them. The timeline stands in ``timeline.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.activities.models import Mail, MailAttempt, MailRecipient, MailState, Note, Task
from counterfoil.activities.timeline import Happened, Timeline, timeline
from counterfoil.core.errors import NotFound
from counterfoil.plumbing.record_types import record_type

__all__ = [
    "Found",
    "Happened",
    "Timeline",
    "check_visible",
    "due_mail",
    "get_mail",
    "get_note",
    "get_task",
    "list_mail",
    "list_tasks",
    "mail_causes",
    "mail_kept",
    "mail_of",
    "mails",
    "open_task_count",
    "tasks",
    "tasks_of",
    "timeline",
    "titles",
]

TASK, NOTE, MAIL = "activities.task", "activities.note", "activities.mail"
_INTERRUPTED_AFTER = timedelta(minutes=1)
_TASK_SORTS = {"due_on": "due_on", "created_at": "created_at", "title": "title", "done_at": "done_at"}


@dataclass(frozen=True)
class Found:
    """A page of rows and how many there are in all."""

    rows: list[Row]
    count: int


# Tasks --------------------------------------------------------------------------------------------------------------


def list_tasks(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "due_on",
    mine: bool = False,
    done: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Open tasks, those that are due first, or closed ones, the last closed first. ``mine`` are the actor's own."""
    found = Task.objects.filter(done_at__isnull=not done)
    if mine:
        found = found.filter(assignee=actor.id)
    for name, value in (filters or {}).items():
        if name in ("kind", "assignee"):
            found = found.filter(**{f"{name}__in": value})
        elif name == "due_on":
            start, end = value
            found = found.filter(due_on__gte=start) if start else found
            found = found.filter(due_on__lte=end) if end else found
    if text:
        matches = Q(title__icontains=text) | Q(detail__icontains=text) | Q(record_title__icontains=text)
        found = found.filter(matches | Q(contact_name__icontains=text))
    order = F(_TASK_SORTS.get(sort.lstrip("-"), "due_on"))
    if done and sort == "due_on":
        ordered = found.order_by("-done_at", "-id")
    elif sort.startswith("-"):
        ordered = found.order_by(order.desc(nulls_last=True), "id")
    else:
        ordered = found.order_by(order.asc(nulls_last=True), "id")
    return Found(_task_rows(actor, ordered[offset : offset + limit]), found.count())


def tasks(
    actor: Actor,
    *,
    after: UUID | None = None,
    take: int = 50,
    is_open: bool | None = None,
    assignee: UUID | None = None,
    account: UUID | None = None,
) -> list[Row]:
    """Tasks in the order of their ids, for the API."""
    found = Task.objects.order_by("id")
    if assignee is not None:
        found = found.filter(assignee=assignee)
    if account is not None:
        found = found.filter(account_id=account)
    if after is not None:
        found = found.filter(id__gt=after)
    if is_open is not None:
        found = found.filter(done_at__isnull=is_open)
    return _task_rows(actor, found[:take])


def tasks_of(actor: Actor, record_id: UUID, *, is_open: bool = True, limit: int = 50) -> list[Row]:
    """The tasks about a record or about its account, those that are due first."""
    found = Task.objects.filter(Q(record_id=record_id) | Q(account_id=record_id), done_at__isnull=is_open)
    return _task_rows(actor, found.order_by(F("due_on").asc(nulls_last=True), "id")[:limit])


def get_task(actor: Actor, task_id: UUID) -> Row:
    """One task; raises ``NotFound``."""
    task = Task.objects.select_related("assignee").filter(id=task_id).first()
    project_one(actor, TASK, task)
    assert task is not None
    return _task_rows(actor, [task])[0]


def get_note(actor: Actor, note_id: UUID) -> Row:
    """One note; raises ``NotFound``."""
    return project_one(actor, NOTE, Note.objects.filter(id=note_id).first())


def check_visible(actor: Actor, record_key: str, record_id: UUID) -> str:
    """The title of a record of any kind; raises ``NotFound`` for none and for an actor who may not see it."""
    try:
        described = record_type(record_key)
    except KeyError:
        raise NotFound("There is no such kind of record.") from None
    record = described.model._default_manager.filter(pk=record_id).first()
    if record is None or not actor.may(described.see):
        raise NotFound()
    return described.title(record)


def open_task_count(actor: Actor, *, on: date) -> dict[str, int]:
    """How many open tasks the actor has: in all, due today, overdue."""
    mine = Task.objects.filter(assignee=actor.id, done_at=None) if actor.may("activities.see") else Task.objects.none()
    return {
        "all": mine.count(),
        "due": mine.filter(due_on__lte=on).count(),
        "late": mine.filter(due_on__lt=on).count(),
    }


def _task_rows(actor: Actor, found: QuerySet[Task] | Sequence[Task]) -> list[Row]:
    records = list(found.select_related("assignee")) if isinstance(found, QuerySet) else list(found)
    rows = project(actor, TASK, records)
    accounts = titles(actor, "accounts.account", (task.account_id for task in records))
    for row, task in zip(rows, records, strict=False):
        row.plus(
            assignee_title=task.assignee.name if task.assignee else "",
            account_title=accounts.get(task.account_id, ""),
            contact_title=task.contact_name,
            record_page=page_of(actor, task.record_key),
            about_id=task.record_id,
            is_open=task.done_at is None,
        )
    return rows


def titles(actor: Actor, key: str, ids: Iterable[UUID | None]) -> dict[UUID | None, str]:
    """How the records of a kind that stands above this room are called; nothing for an actor who may not see them."""
    described = record_type(key)
    wanted = {one for one in ids if one is not None}
    if not wanted or not actor.may(described.see):
        return {}
    return {one.pk: described.title(one) for one in described.model._default_manager.filter(pk__in=wanted)}


def page_of(actor: Actor, key: str) -> str:
    """The URL name of a kind's page, if the actor may see that kind."""
    try:
        described = record_type(key)
    except KeyError:
        return ""
    return described.page if actor.may(described.see) else ""


# Mail ---------------------------------------------------------------------------------------------------------------


def list_mail(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "-created_at",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Mail that was sent, kept, waits or failed, the newest first."""
    found = Mail.objects.all()
    for name, value in (filters or {}).items():
        if name == "state":
            found = found.filter(state__in=value)
        elif name == "created_at":
            start, end = value
            found = found.filter(created_at__date__gte=start) if start else found
            found = found.filter(created_at__date__lte=end) if end else found
    if text:
        to = MailRecipient.objects.filter(mail=OuterRef("pk")).filter(
            Q(address__icontains=text) | Q(name__icontains=text)
        )
        found = found.filter(Q(subject__icontains=text) | Exists(to))
    order = "created_at" if sort == "created_at" else "-created_at"
    page = found.order_by(order, order.replace("created_at", "id"))[offset : offset + limit]
    return Found(_mail_rows(actor, page.prefetch_related("recipients")), found.count())


def mails(actor: Actor, *, after: UUID | None = None, take: int = 50) -> list[Row]:
    """Mail in the order of its ids, for the API."""
    found = Mail.objects.order_by("id")
    if after is not None:
        found = found.filter(id__gt=after)
    return _mail_rows(actor, found.prefetch_related("recipients")[:take])


def mail_of(actor: Actor, record_id: UUID) -> list[Row]:
    """The mail about a record, the newest first, with the state of each recipient."""
    found = Mail.objects.filter(record_id=record_id).order_by("-id").prefetch_related("recipients")
    return _mail_rows(actor, found)


def get_mail(actor: Actor, mail_id: UUID) -> Row:
    """One mail with its recipients, its attachments and every try to send it; raises ``NotFound``."""
    mail = Mail.objects.filter(id=mail_id).prefetch_related("recipients").first()
    project_one(actor, MAIL, mail)
    assert mail is not None
    row = _mail_rows(actor, [mail])[0]
    tries = MailAttempt.objects.filter(mail=mail_id).order_by("number")
    return row.plus(
        attachments=[
            {"id": file_id, "name": name, "size": size, "may_open": actor.may(see)}
            for file_id, name, size, see in mail.attachments.order_by("name").values_list("id", "name", "size", "see")
        ],
        tries=[
            {
                "number": one.number,
                "began_at": one.began_at,
                "ended_at": one.ended_at,
                "outcome": one.outcome,
                "answer": one.answer,
            }
            for one in tries
        ],
        may_have_two_copies=any(one.outcome in ("interrupted", "unknown") for one in tries) and mail.attempts > 1,
    )


def _mail_rows(actor: Actor, found: Iterable[Mail]) -> list[Row]:
    records = list(found)
    rows = project(actor, MAIL, records)
    accounts = titles(actor, "accounts.account", (mail.account_id for mail in records))
    for row, mail in zip(rows, records, strict=False):
        people = sorted(mail.recipients.all(), key=lambda one: (one.line != "to", one.created_at, one.pk))
        row.plus(
            account_title=accounts.get(mail.account_id, ""),
            to=", ".join(one.address for one in people),
            recipients=[
                {
                    "line": one.get_line_display(),
                    "name": one.name,
                    "address": one.address,
                    "state": one.state,
                    "answer": one.answer,
                }
                for one in people
            ],
            record_page=page_of(actor, mail.record_key),
            about_id=mail.record_id,
        )
    return rows


def mail_kept(actor: Actor) -> dict[str, int]:
    """How many mails are kept because there is no server, wait or failed, for whoever may see mail."""
    if not actor.may("mail.see"):
        return {}
    return {
        state.value: Mail.objects.filter(state=state).count()
        for state in (MailState.KEPT, MailState.QUEUED, MailState.FAILED)
    }


# For jobs and for other rooms ---------------------------------------------------------------------------------------


def mail_causes(causes: Sequence[str]) -> set[str]:
    """Which of the causes have a mail. For other rooms' sweeps."""
    return set(Mail.objects.filter(cause__in=list(causes)).values_list("cause", flat=True))


def due_mail(*, at: datetime, limit: int) -> list[UUID]:
    """Mail that waits and is due, and mail whose try began a while ago and never ended. For the sweep."""
    long_ago = at - _INTERRUPTED_AFTER
    unended = MailAttempt.objects.filter(mail=OuterRef("pk"), ended_at=None, began_at__lt=long_ago)
    waits = Q(state=MailState.QUEUED) & (Q(next_attempt_at=None, created_at__lt=long_ago) | Q(next_attempt_at__lte=at))
    due = Mail.objects.filter(waits | (Q(state=MailState.SENDING) & Exists(unended)))
    return list(due.order_by("created_at").values_list("id", flat=True)[:limit])
