"""What happens to tasks, notes and mail."""

from __future__ import annotations

from uuid import UUID

from counterfoil.plumbing.events import Event, event


@event("activities.task_opened")
class TaskOpened(Event):
    task_id: UUID
    account_id: UUID | None
    record_id: UUID | None
    title: str
    kind: str


@event("activities.task_done")
class TaskDone(Event):
    task_id: UUID
    account_id: UUID | None
    record_id: UUID | None
    title: str
    outcome: str


@event("activities.note_written")
class NoteWritten(Event):
    note_id: UUID
    record_id: UUID
    account_id: UUID | None
    text: str


@event("activities.mail_sent")
class MailSent(Event):
    """The server answered 250, or there is no server and the mail is kept (``state``)."""

    mail_id: UUID
    record_id: UUID | None
    account_id: UUID | None
    subject: str
    recipients: tuple[str, ...]
    state: str


@event("activities.mail_failed")
class MailFailed(Event):
    mail_id: UUID
    record_id: UUID | None
    account_id: UUID | None
    subject: str
    recipients: tuple[str, ...]
    answer: str
