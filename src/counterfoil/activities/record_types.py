"""Tasks, notes and mail, described once."""

from __future__ import annotations

from counterfoil.activities.models import AttemptOutcome, Mail, MailState, Note, Task, TaskKind
from counterfoil.plumbing.record_types import Field, Group, Kind, Panel, RecordType, register
from counterfoil.surface.states import register_state

TASK, NOTE, MAIL = "activities.task", "activities.note", "activities.mail"

register(
    RecordType(
        key=TASK,
        model=Task,
        label="Task",
        plural="Tasks",
        title=lambda task: task.title,
        see="activities.see",
        page="activities:task",
        search={"title": "title"},
        hint=("record_title", "record_title"),
        create="activities.add_task",
        change="activities.change_task",
        fields=(
            Field("title", "What is to be done", required=True, max_length=300),
            Field("detail", "Details", Kind.PARAGRAPH),
            Field("kind", "Kind", Kind.CHOICE, choices=TaskKind.choices),
            Field("assignee", "Whose", Kind.LINK, to="access.user"),
            Field("due_on", "Due on", Kind.DAY),
            Field("record_key", "Kind of record", max_length=60),
            Field("record_id", "Record"),
            Field("account", "Account", Kind.LINK, to="accounts.account"),
            Field("contact", "Contact", Kind.LINK, to="accounts.contact"),
            Field("record_title", "About", computed=True),
            Field("contact_name", "Contact person", computed=True),
            Field("amount", "Amount", Kind.AMOUNT, computed=True),
            Field("state", "State", computed=True, read=lambda task: "done" if task.done_at else "open"),
            Field("done_at", "Done", Kind.INSTANT, computed=True),
            Field("done_by_name", "Done by", computed=True),
            Field("outcome", "What came of it", computed=True),
            Field("created_at", "Opened", Kind.INSTANT, computed=True),
        ),
        panels=(
            Panel("accounts.account", "Timeline", "activities:account_timeline", "activities.see", 90, "foot"),
            Panel("accounts.account", "Tasks", "activities:account_tasks", "activities.see", 40),
        ),
    )
)

register(
    RecordType(
        key=NOTE,
        model=Note,
        label="Note",
        plural="Notes",
        title=lambda note: note.text[:80],
        see="activities.see",
        fields=(
            Field("text", "Note", Kind.PARAGRAPH, required=True),
            Field("record_key", "Kind of record", computed=True),
            Field("record_id", "Record", computed=True, read=lambda note: str(note.record_id)),
            Field("author_name", "Written by", computed=True),
            Field("created_at", "Written", Kind.INSTANT, computed=True),
        ),
    )
)

register(
    RecordType(
        key=MAIL,
        model=Mail,
        label="Mail",
        plural="Mails",
        title=lambda mail: mail.subject,
        see="mail.see",
        page="activities:one_mail",
        search={"subject": "subject"},
        fields=(
            Field("subject", "Subject", computed=True),
            Field("state", "State", Kind.CHOICE, computed=True, choices=MailState.choices),
            Field("sender", "From", computed=True),
            Field("reply_to", "Reply to", computed=True),
            Field("body", "Text", Kind.PARAGRAPH, Group.PRICING, computed=True),  # it says what a document comes to
            Field("record_key", "Kind of record", computed=True),
            Field("account", "Account", Kind.LINK, to="accounts.account", computed=True),
            Field("created_at", "Written", Kind.INSTANT, computed=True),
            Field("sent_at", "Sent", Kind.INSTANT, computed=True),
            Field("attempts", "Tries", Kind.INTEGER, computed=True),
            Field("next_attempt_at", "Next try", Kind.INSTANT, computed=True),
            Field("last_error", "Last answer", computed=True),
            Field("message_id", "Message-ID", computed=True),
        ),
    )
)

register_state(MailState.SENDING, "Being sent", "half", "blue")
register_state(MailState.KEPT, "Kept here", "circle", "amber")
register_state(AttemptOutcome.ACCEPTED, "Accepted", "check", "green")
register_state(AttemptOutcome.DELAYED, "Put off", "circle", "amber")
register_state(AttemptOutcome.REFUSED, "Refused", "cross", "red")
register_state(AttemptOutcome.INTERRUPTED, "Interrupted", "alarm", "amber")
register_state(AttemptOutcome.UNKNOWN, "Not known", "alarm", "amber")
