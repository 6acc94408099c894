"""What happens to tasks, notes and mail."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from counterfoil.plumbing.events import Event, event


class _ActivityEvent(Event):
    see: ClassVar[str] = "activities.see"
    topic: ClassVar[str] = "Tasks"
    icon: ClassVar[str] = "list-checks"


class _MailEvent(_ActivityEvent):
    topic: ClassVar[str] = "Mail"
    icon: ClassVar[str] = "mail"


@event("activities.task_opened")
class TaskOpened(_ActivityEvent):
    words: ClassVar[str] = "Task opened: {title}"

    task_id: UUID
    account_id: UUID | None
    record_id: UUID | None
    title: str
    kind: str


@event("activities.task_done")
class TaskDone(_ActivityEvent):
    words: ClassVar[str] = "Task done: {title}"
    detail: ClassVar[str] = "{outcome}"

    task_id: UUID
    account_id: UUID | None
    record_id: UUID | None
    title: str
    outcome: str


@event("activities.task_reopened")
class TaskReopened(_ActivityEvent):
    words: ClassVar[str] = "Task opened again: {title}"

    task_id: UUID
    account_id: UUID | None
    record_id: UUID | None
    title: str


@event("activities.note_written")
class NoteWritten(_ActivityEvent):
    words: ClassVar[str] = "Note"
    detail: ClassVar[str] = "{text}"
    topic: ClassVar[str] = "Notes"
    icon: ClassVar[str] = "sticky-note"

    note_id: UUID
    record_id: UUID
    account_id: UUID | None
    text: str


@event("activities.mail_sent")
class MailSent(_MailEvent):
    """The server answered 250 for these recipients, or there is no server and the mail is kept: ``state`` is sent or
    kept.
    """

    words: ClassVar[str] = "Mail {state}: {subject}"
    detail: ClassVar[str] = "To {recipients}"

    mail_id: UUID
    record_key: str
    record_id: UUID | None
    account_id: UUID | None
    subject: str
    recipients: tuple[str, ...]
    state: str


@event("activities.mail_failed")
class MailFailed(_MailEvent):
    """These recipients do not get the mail. ``bad_addresses`` are those of them that the server says do not exist."""

    words: ClassVar[str] = "Mail not delivered: {subject}"
    detail: ClassVar[str] = "{recipients}: {answer}"
    icon: ClassVar[str] = "mail-warning"

    mail_id: UUID
    record_key: str
    record_id: UUID | None
    account_id: UUID | None
    subject: str
    recipients: tuple[str, ...]
    bad_addresses: tuple[str, ...]
    answer: str
