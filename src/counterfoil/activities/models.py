"""Tasks, notes and mail about any record.

``account_id`` and ``record_id`` are ids, not links: this room knows no customer.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.fields import AmountField, CurrencyField
from counterfoil.plumbing.models import Record


class TaskKind(models.TextChoices):
    TO_DO = "to_do", "To do"
    FOLLOW_UP = "follow_up", "Follow-up"
    RETURNED_DRAFT = "returned_draft", "Returned draft"
    ALARM = "alarm", "Alarm"


class Task(Record):
    """Something a person must do. ``cause`` makes it open at most once for one reason."""

    kind = models.CharField(max_length=20, choices=TaskKind.choices, default=TaskKind.TO_DO)
    title = models.CharField(max_length=300)
    detail = models.TextField(blank=True, default="")
    assignee = models.ForeignKey("access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    record_key = models.CharField(max_length=60, blank=True, default="")
    record_id = models.UUIDField(null=True, blank=True, db_index=True)
    record_title = models.CharField(max_length=300, blank=True, default="")
    account_id = models.UUIDField(null=True, blank=True, db_index=True)
    contact_id = models.UUIDField(null=True, blank=True)
    contact_name = models.CharField(max_length=300, blank=True, default="")
    amount = AmountField(null=True, blank=True)
    currency = CurrencyField(blank=True, default="")
    cause = models.CharField(max_length=200, blank=True, default="")
    done_at = models.DateTimeField(null=True, blank=True)
    done_by_name = models.CharField(max_length=200, blank=True, default="")
    outcome = models.CharField(max_length=300, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(
                fields=["cause"], condition=Q(done_at=None) & ~Q(cause=""), name="activities_task_open_once_per_cause"
            ),
        ]
        indexes = [
            models.Index(fields=["assignee", "due_on"], condition=Q(done_at=None), name="activities_task_open"),
        ]


class Note(Record):
    """What somebody wrote down about a record."""

    text = models.TextField()
    record_key = models.CharField(max_length=60)
    record_id = models.UUIDField(db_index=True)
    account_id = models.UUIDField(null=True, blank=True, db_index=True)
    author_name = models.CharField(max_length=200)

    class Meta(Record.Meta):
        triggers = audit_all()


class MailState(models.TextChoices):
    """``kept``: there is no mail server; the product shows the mail. ``sent`` only after the server's 250."""

    QUEUED = "queued", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    KEPT = "kept", "Kept in the outbox"
    FAILED = "failed", "Failed"


class Mail(Record):
    """One mail that leaves the house, whole: what it says, to whom, and what became of it.

    ``cause`` is unique: one mail for one reason. ``attempts`` counts the tries, and each has its row in
    ``MailAttempt``; the ``message_id`` never changes, so a repeat after an unknown outcome can be told by the
    reader's mail program.
    """

    cause = models.CharField(max_length=200, unique=True)
    message_id = models.CharField(max_length=200, unique=True)
    sender = models.CharField(max_length=300)
    reply_to = models.CharField(max_length=300, blank=True, default="")
    subject = models.CharField(max_length=300)
    body = models.TextField()
    attachments = models.ManyToManyField("documents.StoredFile", related_name="+")
    record_key = models.CharField(max_length=60, blank=True, default="")
    record_id = models.UUIDField(null=True, blank=True, db_index=True)
    account_id = models.UUIDField(null=True, blank=True, db_index=True)
    state = models.CharField(max_length=20, choices=MailState.choices, default=MailState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    tried_since = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        indexes = [
            models.Index(fields=["state"], condition=Q(state__in=["queued", "sending"]), name="activities_mail_due"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(sent_at__isnull=False), name="activities_mail_sent_has_an_instant"
            ),
        ]


class AttemptOutcome(models.TextChoices):
    """``interrupted``:

    the product was stopped before it could note the answer. ``unknown``: the server took the mail and said nothing.
    After both the mail may have arrived, so its repeat may be a second copy.
    """

    RUNNING = "running", "Under way"
    ACCEPTED = "accepted", "Accepted"
    KEPT = "kept", "Kept in the outbox"
    DELAYED = "delayed", "Put off"
    REFUSED = "refused", "Refused"
    INTERRUPTED = "interrupted", "Interrupted"
    UNKNOWN = "unknown", "Not known"


class MailAttempt(models.Model):
    """One try to hand a mail to the server, written before the server is asked. At most one is under way."""

    id = models.UUIDField(primary_key=True)
    mail = models.ForeignKey(Mail, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, choices=AttemptOutcome.choices, default=AttemptOutcome.RUNNING)
    answer = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mail", "number"], name="activities_mailattempt_number_once"),
            models.UniqueConstraint(
                fields=["mail"], condition=Q(ended_at=None), name="activities_mailattempt_one_under_way"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="running") | (Q(ended_at__isnull=False) & ~Q(outcome="running")),
                name="activities_mailattempt_ended_with_an_outcome",
            ),
        ]


class MailRecipient(Record):
    """One address of a mail and what the server said of it."""

    mail = models.ForeignKey(Mail, on_delete=models.CASCADE, related_name="recipients")
    line = models.CharField(max_length=2, choices=[("to", "To"), ("cc", "Cc")])
    address = models.EmailField(max_length=254)
    name = models.CharField(max_length=200, blank=True, default="")
    contact_id = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=MailState.choices, default=MailState.QUEUED)
    answer = models.CharField(max_length=500, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["mail", "address"], name="activities_mailrecipient_once"),
        ]
