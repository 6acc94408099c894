"""The verbs of tasks, notes and mail."""

from counterfoil.activities.commands.mail import begin_attempt, queue_mail, record_outcome, retry_mail
from counterfoil.activities.commands.tasks import (
    assign_task,
    finish_tasks,
    open_task,
    reopen_task,
    write_note,
)

__all__ = [
    "assign_task",
    "begin_attempt",
    "finish_tasks",
    "open_task",
    "queue_mail",
    "record_outcome",
    "reopen_task",
    "retry_mail",
    "write_note",
]
