"""Files taken in, row by row, so that each row's fate is known and can be undone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from counterfoil.plumbing.audit import audit_all
from counterfoil.plumbing.models import Record


class BatchState(models.TextChoices):
    """A batch moves forward only.

    ``checking``, ``loading`` and ``undoing`` are done by a worker and resumed after a crash.
    """

    UPLOADED = "uploaded", "Needs its columns matched"
    CHECKING = "checking", "Being checked"
    CHECKED = "checked", "Ready to load"
    LOADING = "loading", "Loading"
    LOADED = "loaded", "Loaded"
    UNDOING = "undoing", "Being undone"
    UNDONE = "undone", "Undone"
    FAILED = "failed", "Stopped"


class Batch(Record):
    """One import of one file. ``mapping`` is field id by column; ``meanings`` says what unknown values stand for."""

    kind = models.CharField(max_length=60)
    file = models.ForeignKey("documents.StoredFile", on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    heading = models.JSONField()
    signature = models.CharField(max_length=64, db_index=True)
    row_count = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=BatchState.choices, default=BatchState.UPLOADED)
    mapping = models.JSONField(default=dict)
    date_orders = models.JSONField(default=dict)
    meanings = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    done_count = models.PositiveIntegerField(default=0)
    made_by_id = models.UUIDField(null=True)
    made_by_name = models.CharField(max_length=200)
    made_by_roles = models.JSONField(default=list)
    loaded_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=500, blank=True, default="")

    class Meta(Record.Meta):
        triggers = audit_all()
        indexes = [models.Index(fields=["state"], name="importing_batch_by_state")]


class BatchRow(models.Model):
    """One row of a file: its cells, the verdict of the last check, and what it became."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    cells = models.JSONField()
    action = models.CharField(max_length=20, blank=True, default="")
    problems = models.JSONField(default=list)
    target_id = models.UUIDField(null=True)
    target_title = models.CharField(max_length=300, blank=True, default="")
    loaded_action = models.CharField(max_length=20, blank=True, default="")
    record_key = models.CharField(max_length=60, blank=True, default="")
    record_id = models.UUIDField(null=True)
    record_version = models.PositiveIntegerField(null=True)
    before = models.JSONField(default=dict)
    kept_because = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="importing_batchrow_number_once")]
        indexes = [
            models.Index(fields=["batch", "action", "number"], name="importing_batchrow_verdict"),
            models.Index(
                fields=["batch", "record_id"], condition=Q(record_id__isnull=False), name="importing_batchrow_loaded"
            ),
        ]


class RememberedMapping(Record):
    """How files of a heading were matched the last time."""

    kind = models.CharField(max_length=60)
    signature = models.CharField(max_length=64)
    mapping = models.JSONField()
    date_orders = models.JSONField(default=dict)
    meanings = models.JSONField(default=dict)
    options = models.JSONField(default=dict)

    class Meta(Record.Meta):
        triggers = audit_all()
        constraints = [
            models.UniqueConstraint(fields=["kind", "signature"], name="importing_rememberedmapping_once"),
        ]
