"""Imports as an actor may see them. Cells of a file are shown to those who may run imports: they brought them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.core.errors import NotAllowed
from counterfoil.core.places import COUNTRIES, country_name
from counterfoil.importing.models import Batch, BatchRow
from counterfoil.importing.preparing import Unknown, date_readings, options_of, unknown_values
from counterfoil.importing.rules.dates import ORDERS, DateReading
from counterfoil.plumbing.importers import Importer, importer, importers
from counterfoil.plumbing.record_types import Choices, Field, Kind

KEY = "importing.batch"
SAMPLES = 3


@dataclass(frozen=True)
class Found:
    """A page of imports and how many there are in all."""

    rows: list[Row]
    count: int


@dataclass(frozen=True)
class MatchedColumn:
    """A column of the file with sample values and the field that it is matched with."""

    name: str
    samples: tuple[str, ...]
    field_id: str
    dates: DateReading | None
    date_order: str


@dataclass(frozen=True)
class AskedValue:
    """A text of the file that names nothing known, with what it may stand for."""

    unknown: Unknown
    options: Choices
    said: str


@dataclass(frozen=True)
class CheckedRow:
    """A row of the dry run or of the result."""

    number: int
    cells: Sequence[str]
    action: str
    problems: Sequence[Mapping[str, str]]
    target_id: UUID | None
    target_title: str
    loaded_action: str
    kept_because: str


def list_batches(actor: Actor, *, offset: int = 0, limit: int = 50) -> Found:
    """The imports, newest first."""
    batches = Batch.objects.order_by("-created_at")
    return Found(project(actor, KEY, batches[offset : offset + limit]), batches.count())


def get_batch(actor: Actor, batch_id: UUID) -> Row:
    """One import, with ``what`` it takes in; raises ``NotFound``."""
    batch = Batch.objects.filter(id=batch_id).first()
    row = project_one(actor, KEY, batch)
    assert batch is not None
    described = importer(batch.kind)
    return row.plus(described=described, heading=tuple(batch.heading), options=batch.options)


def kinds(actor: Actor) -> list[Importer]:
    """The kinds of files that the actor may take in."""
    return [item for item in importers() if actor.may(item.needs)]


def matched_columns(actor: Actor, batch_id: UUID) -> list[MatchedColumn]:
    """Every column of the file with samples, its field, and how its dates may be read."""
    batch = _own(actor, batch_id)
    first = list(BatchRow.objects.filter(batch=batch).order_by("number").values_list("cells", flat=True)[:200])
    readings = date_readings(batch, batch.mapping)
    found: list[MatchedColumn] = []
    for place, name in enumerate(batch.heading):
        samples = tuple(dict.fromkeys(cells[place] for cells in first if cells[place]))[:SAMPLES]
        field_id = batch.mapping.get(name, "")
        found.append(
            MatchedColumn(name, samples, field_id, readings.get(field_id), batch.date_orders.get(field_id, ORDERS[0]))
        )
    return found


def asked_options(actor: Actor, batch_id: UUID) -> list[tuple[Field, Any]]:
    """What the file does not say and must be asked for once, with what was said."""
    batch = _own(actor, batch_id)
    return [(option, batch.options.get(option.id, "")) for option in importer(batch.kind).options]


def asked_values(actor: Actor, batch_id: UUID) -> list[AskedValue]:
    """Every text that names nothing known, once, the most frequent first."""
    batch = _own(actor, batch_id)
    described = importer(batch.kind)
    options: dict[str, Choices] = {}
    found: list[AskedValue] = []
    for unknown in unknown_values(batch):
        column = described.by_id[unknown.field_id]
        if unknown.field_id not in options:
            options[unknown.field_id] = _countries() if column.field.kind is Kind.COUNTRY else options_of(column)
        if not unknown.may_be_new:
            found.append(AskedValue(unknown, options[unknown.field_id], unknown.suggestion))
    return found


def _countries() -> Choices:
    return sorted(((code, country_name(code)) for code in COUNTRIES), key=lambda item: item[1])


def rows_of(
    actor: Actor, batch_id: UUID, *, action: str = "", loaded_action: str = "", after: int = 0, limit: int = 100
) -> list[CheckedRow]:
    """Rows in the order of the file, of one verdict or of one fate if given, from after row ``after``."""
    batch = _own(actor, batch_id)
    rows = BatchRow.objects.filter(batch=batch, number__gt=after).order_by("number")
    if action:
        rows = rows.filter(action=action)
    if loaded_action:
        rows = rows.filter(loaded_action=loaded_action)
    return [
        CheckedRow(row.number, row.cells, row.action, row.problems, row.target_id, row.target_title,
                   row.loaded_action, row.kept_because)
        for row in rows[:limit]
    ]  # fmt: skip


def error_file(actor: Actor, batch_id: UUID) -> Iterator[list[str]]:
    """The file's own rows that were not or will not be loaded, with the reason in front, to be mended and taken in
    again.
    """
    batch = _own(actor, batch_id)
    yield ["Problem", *batch.heading]
    rows = BatchRow.objects.filter(batch=batch, action__in=["error", "duplicate"]).order_by("number")
    for row in rows.iterator(chunk_size=2000):
        reasons = "; ".join(problem["message"] for problem in row.problems) or row.action
        yield [reasons, *row.cells]


def _own(actor: Actor, batch_id: UUID) -> Batch:
    batch = Batch.objects.filter(id=batch_id).first()
    project_one(actor, KEY, batch)
    assert batch is not None
    if not actor.may("importing.run"):
        raise NotAllowed("not_allowed", "You may not see what is in imported files.")
    return batch
