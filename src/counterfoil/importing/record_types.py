"""Imports, described once."""

from __future__ import annotations

from typing import Any

from counterfoil.importing.models import Batch, BatchState
from counterfoil.plumbing.importers import importers
from counterfoil.plumbing.record_types import Choices, Field, Kind, RecordType, register


def _kinds() -> Choices:
    return [(item.key, item.label) for item in importers()]


def _loaded(batch: Any, action: str) -> int:
    return int(batch.counts.get(action, 0))


register(
    RecordType(
        key="importing.batch",
        model=Batch,
        label="Import",
        plural="Imports",
        title=lambda batch: batch.file_name,
        see="importing.see",
        page="importing:batch",
        fields=(
            Field("file_name", "File", computed=True),
            Field("kind", "Kind", Kind.CHOICE, computed=True, choices=_kinds),
            Field("state", "State", Kind.CHOICE, computed=True, choices=BatchState.choices),
            Field("row_count", "Rows", Kind.INTEGER, computed=True),
            Field("done_count", "Done", Kind.INTEGER, computed=True),
            Field("new", "New", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "new")),
            Field("update", "Updates", Kind.INTEGER, computed=True,
                  read=lambda batch: _loaded(batch, "update") or _loaded(batch, "updated")),
            Field("same", "Unchanged", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "same")),
            Field("duplicate", "Duplicates", Kind.INTEGER, computed=True,
                  read=lambda batch: _loaded(batch, "duplicate")),
            Field("error", "Errors", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "error")),
            Field("left_out", "Left out", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "left_out")),
            Field("undone", "Undone", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "undone")),
            Field("kept", "Kept", Kind.INTEGER, computed=True, read=lambda batch: _loaded(batch, "kept")),
            Field("made_by_name", "By", computed=True),
            Field("created_at", "Uploaded", Kind.INSTANT, computed=True),
            Field("loaded_at", "Loaded at", Kind.INSTANT, computed=True),
            Field("undone_at", "Undone at", Kind.INSTANT, computed=True),
            Field("failure", "Stopped because", computed=True),
        ),
    )
)  # fmt: skip
