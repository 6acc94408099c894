"""The verbs of tasks, notes and mail."""

from counterfoil.activities.commands.mail import (
    begin_attempt,
    check_mails,
    queue_mail,
    queue_mails,
    record_outcome,
    retry_mail,
)
from counterfoil.activities.commands.notes import write_note
from counterfoil.activities.commands.tasks import (
    add_task,
    assign_task,
    change_task,
    finish_tasks,
    open_task,
    open_tasks,
    reopen_task,
)
from counterfoil.activities.rules.orders import MailOrder, NewRecipient, TaskOrder

__all__ = [
    "MailOrder",
    "NewRecipient",
    "TaskOrder",
    "add_task",
    "assign_task",
    "begin_attempt",
    "change_task",
    "check_mails",
    "finish_tasks",
    "open_task",
    "open_tasks",
    "queue_mail",
    "queue_mails",
    "record_outcome",
    "reopen_task",
    "retry_mail",
    "write_note",
]
