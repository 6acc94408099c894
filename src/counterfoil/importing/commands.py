"""Taking a file in:

upload, match, check, load, undo. The checking, loading and undoing go chunk by chunk, each chunk one commit.

A chunk's records and the fate of its rows are written together, so a killed worker leaves a batch that the next one
finishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Problem, Refusal
from counterfoil.documents.commands import store_file
from counterfoil.importing.events import BatchLoaded, BatchUndone
from counterfoil.importing.models import Batch, BatchRow, BatchState, RememberedMapping
from counterfoil.importing.preparing import (
    CHUNK,
    date_readings,
    guess,
    judged,
    likely_kind,
    problems_as_json,
    required_of,
)
from counterfoil.importing.rules.dates import ORDERS
from counterfoil.importing.rules.mapping import signature
from counterfoil.importing.rules.reading import read_table
from counterfoil.plumbing.bulk import update_rows
from counterfoil.plumbing.importers import Importer, Loaded, importer, importers
from counterfoil.plumbing.jobs import enqueue
from counterfoil.plumbing.outbox import emit
from counterfoil.plumbing.record_types import BadValue, clean_value
from counterfoil.plumbing.registry import command_named

NEVER_LOADED = ("error", "duplicate", "same")


@command("importing.upload_file", needs="importing.run")
def upload_file(*, actor: Actor, name: str, content: bytes, kind: str, at: datetime) -> UUID:
    """Read the file into rows and match its columns as well as can be guessed, or as they were the last time.

    Loads nothing.

    Without ``kind`` the heading decides. Returns the batch's id.
    """
    table = read_table(name, content)
    kind = kind or likely_kind(table.heading)
    if not kind:
        raise Refusal("unknown_kind", "The heading fits no kind of record. Say what this file holds.", "kind")
    described = _described(kind)
    sign = signature(table.heading)
    remembered = RememberedMapping.objects.filter(kind=kind, signature=sign).first()
    file_id = store_file(
        actor=actor, name=name, media_type="application/octet-stream", content=content, see="importing.run"
    )
    batch = Batch.objects.create(
        kind=kind,
        file_id=file_id,
        file_name=name[:200],
        heading=list(table.heading),
        signature=sign,
        row_count=len(table.rows),
        mapping=remembered.mapping if remembered else guess(described, table.heading),
        meanings=remembered.meanings if remembered else {},
        options={**_default_options(described), **(remembered.options if remembered else {})},
        made_by_id=actor.id,
        made_by_name=actor.name,
        made_by_roles=sorted(actor.roles),
        created_at=at,
    )
    BatchRow.objects.bulk_create(
        (BatchRow(batch=batch, number=number, cells=list(cells)) for number, cells in enumerate(table.rows, 1)),
        batch_size=2000,
    )
    batch.date_orders = _date_orders(batch, remembered.date_orders if remembered else {})
    batch.save(update_fields=["date_orders"])
    return batch.id


@command("importing.match_columns", needs="importing.run")
def match_columns(
    *,
    actor: Actor,
    batch_id: UUID,
    mapping: Mapping[str, str],
    date_orders: Mapping[str, str],
    options: Mapping[str, Any],
) -> None:
    """Say which column is which field, how dates are written, and what the file does not say.

    Checks it for the dry run.
    """
    batch = _locked(batch_id, BatchState.UPLOADED, BatchState.CHECKED, BatchState.CHECKING)
    described = _described(batch.kind)
    chosen = {column: field_id for column, field_id in mapping.items() if field_id}
    _refuse_bad_mapping(actor, batch, described, chosen)
    batch.mapping = chosen
    batch.options = _clean_options(described, {**batch.options, **options})
    wanted = {field_id: order for field_id, order in date_orders.items() if order in ORDERS}
    batch.date_orders = _date_orders(batch, wanted)
    _start(batch, BatchState.CHECKING)


@command("importing.say_meanings", needs="importing.run")
def say_meanings(*, actor: Actor, batch_id: UUID, meanings: Mapping[str, Mapping[str, str]]) -> None:
    """Say what unknown texts stand for, once for all rows: an id or key by text; empty for "leave empty"."""
    batch = _locked(batch_id, BatchState.UPLOADED, BatchState.CHECKED, BatchState.CHECKING)
    described = _described(batch.kind)
    merged = {field_id: dict(known) for field_id, known in batch.meanings.items()}
    for field_id, known in meanings.items():
        if field_id not in described.by_id:
            raise Refusal("unknown_field", "There is no such field.", field_id)
        column = described.by_id[field_id]
        for text, meaning in known.items():
            if meaning:
                try:
                    clean_value(column.field, meaning)
                except BadValue as bad:
                    raise Refusal(bad.code, bad.message, f"{field_id}.{text}") from None
            merged.setdefault(field_id, {})[text] = meaning
    batch.meanings = merged
    _start(batch, BatchState.CHECKING)


@command("importing.start_loading", needs="importing.run")
def start_loading(*, actor: Actor, batch_id: UUID) -> None:
    """Load the rows that can be loaded, in the background.

    Rows with problems, duplicates and unchanged ones are left out.
    """
    batch = _locked(batch_id, BatchState.CHECKED)
    if not any(batch.counts.get(action) for action in ("new", "update")):
        raise Conflict("nothing_to_load", "No row of this file is new or changes anything.")
    RememberedMapping.objects.update_or_create(
        kind=batch.kind,
        signature=batch.signature,
        defaults={
            "mapping": batch.mapping,
            "date_orders": batch.date_orders,
            "meanings": batch.meanings,
            "options": batch.options,
        },
    )
    batch.made_by_id, batch.made_by_name, batch.made_by_roles = actor.id, actor.name, sorted(actor.roles)
    _start(batch, BatchState.LOADING)


@command("importing.start_undoing", needs="importing.run")
def start_undoing(*, actor: Actor, batch_id: UUID) -> None:
    """Take back what the batch loaded, except what was changed or used since; those stay and are listed."""
    batch = _locked(batch_id, BatchState.LOADED, BatchState.FAILED)
    _start(batch, BatchState.UNDOING)


@command("importing.work_chunk", needs="importing.run")
def work_chunk(*, actor: Actor, batch_id: UUID, on: date, at: datetime, size: int = CHUNK) -> bool:
    """Do the next chunk of what the batch is at. Returns whether there is more to do."""
    batch = Batch.objects.select_for_update().filter(id=batch_id).first()
    if batch is None:
        return False
    if batch.state == BatchState.CHECKING:
        return _check_chunk(batch, size * 4)
    if batch.state == BatchState.LOADING:
        return _load_chunk(actor, batch, on, at, size)
    if batch.state == BatchState.UNDOING:
        return _unload_chunk(actor, batch, on, at, size)
    return False


@command("importing.set_aside", needs="importing.run")
def set_aside(*, actor: Actor, batch_id: UUID, number: int, problems: Sequence[Problem]) -> None:
    """Leave out the row that could not be loaded although its check was good, with the reason."""
    BatchRow.objects.filter(batch_id=batch_id, number=number, loaded_action="").update(
        action="error", loaded_action="left_out", problems=problems_as_json(problems)
    )


@command("importing.stop_batch", needs="importing.run")
def stop_batch(*, actor: Actor, batch_id: UUID, failure: str) -> None:
    """Stop a batch that cannot go on. What it loaded stays and can be undone."""
    Batch.objects.filter(id=batch_id).update(state=BatchState.FAILED, failure=failure[:500])


@command("importing.discard_batch", needs="importing.run")
def discard_batch(*, actor: Actor, batch_id: UUID) -> None:
    """Forget an upload that was never loaded."""
    _locked(batch_id, BatchState.UPLOADED, BatchState.CHECKED, BatchState.CHECKING).delete()


def next_number(batch_id: UUID, done: int) -> int | None:
    """The row that the next chunk of a loading batch starts with."""
    rows = BatchRow.objects.filter(
        batch_id=batch_id, batch__state=BatchState.LOADING, loaded_action="", number__gt=done
    )
    return rows.order_by("number").values_list("number", flat=True).first()


def _check_chunk(batch: Batch, size: int) -> bool:
    rows = list(BatchRow.objects.filter(batch=batch, number__gt=batch.done_count).order_by("number")[:size])
    if rows:
        for row, verdict, _ in judged(batch, rows):
            row.action = verdict.action
            row.problems = problems_as_json(verdict.problems)
            row.target_id = verdict.record_id
            row.target_title = verdict.title[:300]
        update_rows(rows, ["action", "problems", "target_id", "target_title"])
        batch.done_count = rows[-1].number
    more = batch.done_count < batch.row_count
    if not more:
        counts = BatchRow.objects.filter(batch=batch).values_list("action").annotate(Count("id")).order_by()
        batch.counts = dict(counts)
        batch.state = BatchState.CHECKED
    batch.save(update_fields=["done_count", "counts", "state"])
    return more


def _load_chunk(actor: Actor, batch: Batch, on: date, at: datetime, size: int) -> bool:
    """Rows are judged again right before they are loaded: the records may have changed since the dry run."""
    described = _described(batch.kind)
    rows = list(
        BatchRow.objects.filter(batch=batch, loaded_action="", number__gt=batch.done_count).order_by("number")[:size]
    )
    if not rows:
        return _finish_loading(batch, at)
    to_load = []
    for row, verdict, load in judged(batch, rows):
        row.action = verdict.action
        row.problems = problems_as_json(verdict.problems)
        row.target_id, row.target_title = verdict.record_id, verdict.title[:300]
        if load is None or verdict.action in NEVER_LOADED:
            row.loaded_action = "left_out"
        else:
            to_load.append(load)
    by_number = {row.number: row for row in rows}
    if to_load:
        loaded: list[Loaded] = command_named(described.load)(
            actor=actor, rows=to_load, options=batch.options, on=on, at=at
        )
        for one in loaded:
            row = by_number[one.number]
            row.loaded_action = one.action
            row.record_key, row.record_id, row.record_version = one.record_key, one.record_id, one.version
            row.before = dict(one.before)
    update_rows(
        rows,
        [
            "action",
            "problems",
            "target_id",
            "target_title",
            "loaded_action",
            "record_key",
            "record_id",
            "record_version",
            "before",
        ],
    )
    batch.done_count = rows[-1].number
    batch.save(update_fields=["done_count"])
    return True


def _finish_loading(batch: Batch, at: datetime) -> bool:
    counts = Counter(
        dict(BatchRow.objects.filter(batch=batch).values_list("loaded_action").annotate(Count("id")).order_by())
    )
    batch.state, batch.loaded_at = BatchState.LOADED, at
    batch.counts = dict(counts)
    batch.done_count = batch.row_count
    batch.save(update_fields=["state", "loaded_at", "counts", "done_count"])
    emit(
        BatchLoaded(
            batch_id=batch.id,
            file_name=batch.file_name,
            kind=batch.kind,
            new=counts["new"],
            updated=counts["updated"],
            left_out=counts["left_out"],
        )
    )
    return False


def _unload_chunk(actor: Actor, batch: Batch, on: date, at: datetime, size: int) -> bool:
    described = _described(batch.kind)
    rows = list(BatchRow.objects.filter(batch=batch, loaded_action__in=["new", "updated"]).order_by("-number")[:size])
    if rows:
        loaded = [
            Loaded(row.number, row.loaded_action, row.record_key, row.record_id, row.record_version or 0, row.before)
            for row in rows
            if row.record_id is not None
        ]
        kept = command_named(described.unload)(
            actor=actor, loaded=loaded, on=on, at=at, reason=f"Import of {batch.file_name} undone"
        )
        why = {one.record_id: one.why for one in kept}
        for row in rows:
            row.kept_because = why.get(row.record_id, "")
            row.loaded_action = "kept" if row.kept_because else "undone"
        update_rows(rows, ["kept_because", "loaded_action"])
        batch.done_count += len(rows)
        batch.save(update_fields=["done_count"])
        return True
    counts = Counter(
        dict(BatchRow.objects.filter(batch=batch).values_list("loaded_action").annotate(Count("id")).order_by())
    )
    batch.state, batch.undone_at, batch.counts = BatchState.UNDONE, at, dict(counts)
    batch.save(update_fields=["state", "undone_at", "counts"])
    emit(BatchUndone(batch_id=batch.id, file_name=batch.file_name, removed=counts["undone"], kept=counts["kept"]))
    return False


def _start(batch: Batch, state: BatchState) -> None:
    batch.state, batch.done_count, batch.failure = state, 0, ""
    batch.version += 1
    batch.save()
    enqueue("importing.work", once=f"importing:{batch.id}", batch_id=batch.id)


def _locked(batch_id: UUID, *states: BatchState) -> Batch:
    batch = Batch.objects.select_for_update().filter(id=batch_id).first()
    if batch is None:
        raise NotFound()
    if batch.state not in states:
        raise Conflict(
            "wrong_state", f"This import is {BatchState(batch.state).label.lower()}; that is not possible now."
        )
    return batch


def _described(kind: str) -> Importer:
    for item in importers():
        if item.key == kind:
            return importer(kind)
    raise Refusal("unknown_kind", f"There is no import of “{kind[:60]}”.", "kind")


def _refuse_bad_mapping(actor: Actor, batch: Batch, described: Importer, mapping: Mapping[str, str]) -> None:
    problems: list[Problem] = []
    for column, field_id in mapping.items():
        if column not in batch.heading:
            problems.append(Problem(column, "unknown_column", "The file has no such column."))
        elif field_id not in described.by_id:
            problems.append(Problem(column, "unknown_field", "There is no such field."))
        elif described.by_id[field_id].field.group not in actor.writes:
            problems.append(
                Problem(column, "closed_field", f"You may not set {described.by_id[field_id].field.label}.")
            )
    twice = [field_id for field_id, count in Counter(mapping.values()).items() if count > 1]
    problems += [Problem(field_id, "mapped_twice", "Two columns are matched with this field.") for field_id in twice]
    for field_id, label in required_of(described).items():
        if field_id not in mapping.values():
            problems.append(Problem(field_id, "missing", f"No column is matched with {label}."))
    closed = [problem for problem in problems if problem.code == "closed_field"]
    if closed:
        raise NotAllowed(closed[0].code, closed[0].message, closed[0].field, closed)
    if problems:
        raise Refusal.of(problems)


def _default_options(described: Importer) -> dict[str, Any]:
    return {option.id: "" for option in described.options}


def _clean_options(described: Importer, given: Mapping[str, Any]) -> dict[str, Any]:
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for option in described.options:
        try:
            value = clean_value(option, given.get(option.id, ""))
        except BadValue as bad:
            problems.append(Problem(option.id, bad.code, bad.message))
            continue
        if option.required and value in (None, ""):
            problems.append(Problem(option.id, "missing", f"{option.label} is missing."))
        found[option.id] = str(value) if isinstance(value, UUID) else value
    if problems:
        raise Refusal.of(problems)
    return found


def _date_orders(batch: Batch, wanted: Mapping[str, str]) -> dict[str, str]:
    return {
        field_id: wanted.get(field_id) or reading.orders[0]
        for field_id, reading in date_readings(batch, batch.mapping).items()
    }
