"""Tables of the plumbing, and the base of every record."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from counterfoil.core.ids import new_id
from counterfoil.plumbing import clock
from counterfoil.plumbing.audit import append_only


class Record(models.Model):
    """Base of every record: a UUIDv7, the instant it was made, and a version that each change raises.

    A concrete model lists ``audit_all()`` or ``audit_changes()`` in ``Meta.triggers``; a house test sees to it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True


class Installation(models.Model):
    """The one row that says what this installation is."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    is_demo = models.BooleanField(default=False)
    clock_days_ahead = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="plumbing_installation_one_row"),
            models.CheckConstraint(
                condition=models.Q(is_demo=True) | models.Q(clock_days_ahead=0),
                name="plumbing_installation_only_demo_clock_moves",
            ),
        ]


class OutboxEvent(models.Model):
    """What happened, written in the transaction that made it happen. Kept: it feeds the timeline.

    ``batch`` is the outermost command's run; ``about`` are the ids of all records that the event names.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    batch = models.UUIDField(db_index=True)
    name = models.CharField(max_length=100)
    payload = models.JSONField()
    about = ArrayField(models.UUIDField())
    actor_kind = models.CharField(max_length=20)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    command = models.CharField(max_length=100)
    cause = models.UUIDField(null=True)
    origin = models.CharField(max_length=100, default="")
    depth = models.PositiveSmallIntegerField(default=0)
    happened_at = models.DateTimeField()

    class Meta:
        indexes = [GinIndex(fields=["about"], name="plumbing_outboxevent_about")]
        triggers = [append_only()]


class Receipt(models.Model):
    """A subscriber has taken an event: written in the transaction of its effect, so the effect happens once."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    subscriber = models.CharField(max_length=100)
    taken_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event_id", "subscriber"], name="plumbing_receipt_once"),
        ]


class Heartbeat(models.Model):
    """When each kind of process was last seen alive."""

    process = models.CharField(max_length=50, primary_key=True)
    seen_at = models.DateTimeField()
    detail = models.JSONField(default=dict)


class Alarm(models.Model):
    """Something that a person must look at. One row while it lasts, however often it is seen; kept when it is over."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=200)
    message = models.TextField()
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(closed_at=None), name="plumbing_alarm_open_once"
            ),
        ]


class IdempotencyKey(models.Model):
    """The answer to an API request that carried an ``Idempotency-Key``, so that its repetition gets the same one."""

    id = models.BigAutoField(primary_key=True)
    owner = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(default="")
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="plumbing_idempotencykey_once")]
