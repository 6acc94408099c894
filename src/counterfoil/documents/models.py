"""Files that the product keeps: the PDFs it made and what came in with mail and imports."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from counterfoil.plumbing.audit import append_only, audit_changes
from counterfoil.plumbing.models import Record


class _HashOf(models.Func):
    template = "ENCODE(SHA256(%(expressions)s), 'hex')"
    output_field = models.CharField()


class _SizeOf(models.Func):
    function = "OCTET_LENGTH"
    output_field = models.IntegerField()


class StoredFile(Record):
    """Bytes that are kept for good, once per content and right. ``see`` is the permission that opens them.

    The database itself checks that hash and size are those of the content, and lets nobody change or remove a row.
    """

    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    media_type = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    see = models.CharField(max_length=100)
    content = models.BinaryField()

    class Meta(Record.Meta):
        triggers = [append_only(), *audit_changes(without=("content",))]
        constraints = [
            models.UniqueConstraint(fields=["sha256", "see"], name="documents_storedfile_once"),
            models.CheckConstraint(condition=Q(sha256=_HashOf(F("content"))), name="documents_storedfile_true_hash"),
            models.CheckConstraint(condition=Q(size=_SizeOf(F("content"))), name="documents_storedfile_true_size"),
        ]

    def __str__(self) -> str:
        return self.name
