"""Keeping files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import check, command
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.documents.models import StoredFile

MAX_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True)
class NewFile:
    """A file to keep. ``see`` is the permission that a reader needs, such as ``invoicing.see``."""

    content: bytes
    name: str
    media_type: str
    see: str


@command("documents.store_files", needs="documents.store")
def store_files(*, actor: Actor, files: Sequence[NewFile]) -> list[UUID]:
    """Keep the files and answer their ids in the same order. A content that is already kept is not kept twice."""
    rows: dict[tuple[str, str], StoredFile] = {}
    keys: list[tuple[str, str]] = []
    for number, file in enumerate(files):
        check(bool(file.content), "empty_file", "The file is empty.", f"{number}.content")
        check(
            len(file.content) <= MAX_BYTES,
            "file_too_large",
            f"A file can have at most 25 MB; this has {len(file.content) / 1024 / 1024:.0f}.",
            f"{number}.content",
        )
        if file.see not in PERMISSIONS:
            raise ValueError(f"{file.see} is no permission")
        key = (hashlib.sha256(file.content).hexdigest(), file.see)
        keys.append(key)
        rows[key] = StoredFile(
            sha256=key[0],
            size=len(file.content),
            media_type=file.media_type[:100],
            name=file_name(file.name),
            see=file.see,
            content=file.content,
        )
    # A content that somebody else is storing in this moment is waited for, and then found below.
    StoredFile.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=100)
    hashes = {sha256 for sha256, _ in keys}
    kept = StoredFile.objects.filter(sha256__in=hashes).values_list("sha256", "see", "id")
    ids = {(sha256, see): id for sha256, see, id in kept}
    return [ids[key] for key in keys]


@command("documents.store_file", needs="documents.store")
def store_file(*, actor: Actor, content: bytes, name: str, media_type: str, see: str) -> UUID:
    """Keep one file and answer its id."""
    return store_files(actor=actor, files=[NewFile(content, name, media_type, see)])[0]


def file_name(name: str) -> str:
    """A name that every file system and mail reader takes; the ending stays when the name must be cut."""
    kept = "".join("_" if letter in '\\/:*?"<>|' else letter for letter in name if letter.isprintable()).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if len(kept) > 200 and dot and len(ending) <= 10:
        return f"{stem[: 199 - len(ending)]}.{ending}"
    return kept[:200] or "file"
