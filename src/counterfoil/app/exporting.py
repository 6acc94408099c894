"""Every record as the actor may see it, in files that outlive the product: JSON Lines and CSV, with ids that never
change.

One pair of files for each kind of record; links are ids, amounts stand beside their currency, rows of a record (lines,
addresses) are lists in JSON and JSON text in a CSV cell. Stored documents are copied whole. All of it is one unchanging
view of the data. It writes no passwords, keys or sessions: an export is for reading and moving, ``pg_dump`` is the
backup.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models, transaction

from counterfoil import __version__
from counterfoil.access.actors import Actor
from counterfoil.access.projection import project
from counterfoil.core.errors import Conflict, NotAllowed, Refusal
from counterfoil.documents.queries import visible_files
from counterfoil.plumbing import clock
from counterfoil.plumbing.record_types import Field, Kind, RecordType, record_types
from counterfoil.surface.as_json import row_json
from counterfoil.surface.export import csv_cell

CHUNK = 1_000


def export_records(
    actor: Actor, target: Path, *, only: Sequence[str] | None = None, with_files: bool = True
) -> Mapping[str, int]:
    """Write the export to ``target``, a new folder or a new ``.zip``, and return how many of each kind it holds.

    Nothing is left behind when it fails. Kinds and fields that the actor may not see are missing, and named in
    ``about.json``.
    """
    if not actor.may("exporting.run"):
        raise NotAllowed("not_allowed", "You may not export records.")
    kinds = _chosen(only)
    if target.exists():
        raise Conflict("exists", f"{target} exists already; choose a new name.", "target")
    target.parent.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    with _new_folder(target) as folder, _one_view():
        for described in kinds:
            if actor.may(described.see):
                counts[described.key] = _write_kind(actor, described, folder)
        if with_files:
            counts["files"] = _write_files(actor, folder / "files")
        _write_about(actor, kinds, counts, folder)
    return counts


def _chosen(only: Sequence[str] | None) -> list[RecordType]:
    kinds = record_types()
    if only is None:
        return kinds
    known = {described.key for described in kinds}
    for key in only:
        if key not in known:
            raise Refusal("unknown_kind", f"There is no kind “{key}”. There are: {', '.join(sorted(known))}.", "only")
    return [described for described in kinds if described.key in only]


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its name, or becomes its zip, when all went well."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        folder = Path(scratch) / "export"
        folder.mkdir()
        yield folder
        if target.suffix == ".zip":
            packed = Path(scratch) / "export.zip"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, path.relative_to(folder))
            packed.rename(target)
        else:
            shutil.move(folder, target)


@contextmanager
def _one_view() -> Iterator[None]:
    with transaction.atomic():
        if not connection.savepoint_ids:  # inside another transaction, as in a test, its view is the one
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _write_kind(actor: Actor, described: RecordType, folder: Path) -> int:
    fields = [item for item in described.fields if item.group in actor.reads]
    columns = _columns(described, fields)
    count = 0
    with (
        (folder / f"{described.key}.jsonl").open("w", encoding="utf-8") as lines,
        (folder / f"{described.key}.csv").open("w", encoding="utf-8-sig", newline="") as table,
    ):
        writer = csv.writer(table)
        writer.writerow(columns)
        for row in _rows(actor, described, fields):
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            writer.writerow([_cell(_under(row, column)) for column in columns])
            count += 1
    return count


def _columns(described: RecordType, fields: Sequence[Field]) -> list[str]:
    """``id``, ``title``, ``version``, the fields, and the currency of an amount when it is no field itself. The values
    of defined fields have a column each: ``reference_values.cost_centre``.
    """
    names = ["id", "title", "version"]
    for item in fields:
        defined = [f"{item.id}.{one.id}" for one in item.definitions()]
        names += defined if item.kind is Kind.DEFINED else [item.id]
    names += [item.currency for item in fields if item.kind is Kind.AMOUNT]
    return list(dict.fromkeys(names))


def _rows(actor: Actor, described: RecordType, fields: Sequence[Field]) -> Iterator[dict[str, Any]]:
    """The records in the order in which they were made, a chunk at a time, with what their fields reach for fetched
    along.
    """
    links, lists = _relations(described.model, fields)
    records = described.model._default_manager.order_by("pk").select_related(*links).prefetch_related(*lists)
    last: Any = None
    while True:
        chunk = list(records[:CHUNK] if last is None else records.filter(pk__gt=last)[:CHUNK])
        for row in project(actor, described.key, chunk):
            yield row_json(row)
        if len(chunk) < CHUNK:
            return
        last = chunk[-1].pk


def _relations(model: type[models.Model], fields: Sequence[Field]) -> tuple[list[str], list[str]]:
    links, lists = [], []
    for item in fields:
        try:
            relation = model._meta.get_field(item.attribute)
        except FieldDoesNotExist:
            continue
        if relation.one_to_many or relation.many_to_many:
            lists.append(item.attribute)
        elif relation.is_relation and item.kind is not Kind.LINK:
            links.append(item.attribute)
    return links, lists


def _under(row: Mapping[str, Any], column: str) -> Any:
    name, _, key = column.partition(".")
    value = row.get(name)
    return value.get(key) if key and isinstance(value, dict) else value


def _cell(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return csv_cell(value)


def _write_files(actor: Actor, folder: Path) -> int:
    """Each stored document under its id, and a list with names, hashes and sizes, against which the copies can be
    checked.
    """
    folder.mkdir()
    count = 0
    with (folder / "files.jsonl").open("w", encoding="utf-8") as lines:
        for file in visible_files(actor):
            path = folder / f"{file.id}{Path(file.name).suffix}"
            path.write_bytes(file.content)
            facts: dict[str, Any] = {
                "id": str(file.id),
                "name": file.name,
                "path": path.name,
                "media_type": file.media_type,
            }
            facts |= {"size": file.size, "sha256": file.sha256, "created_at": file.created_at.isoformat()}
            lines.write(json.dumps(facts, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_about(actor: Actor, kinds: Sequence[RecordType], counts: Mapping[str, int], folder: Path) -> None:
    about = {
        "product": "Counterfoil",
        "version": __version__,
        "exported_at": clock.now().isoformat(),
        "exported_by": actor.name,
        "counts": dict(counts),
        "closed": {
            described.key: [item.id for item in described.fields if item.group not in actor.reads]
            for described in kinds
            if described.key in counts
        },
        "not_visible": [described.key for described in kinds if described.key not in counts],
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
