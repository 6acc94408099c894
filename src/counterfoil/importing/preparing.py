"""From a batch and its kind's description to mapped columns, unknown values and verdicts. Reads, changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.core.places import find_country, similar_countries
from counterfoil.importing.models import Batch, BatchRow
from counterfoil.importing.rules.conversion import STANDING_FOR, MappedColumn, converted
from counterfoil.importing.rules.dates import DateReading, date_reading
from counterfoil.importing.rules.mapping import fit, guessed_mapping
from counterfoil.importing.rules.values import exact_choice, probable
from counterfoil.plumbing.importers import Column, Importer, LoadRow, Verdict, importer, importers
from counterfoil.plumbing.record_types import BadValue, Choices, Kind, clean_value

CHUNK = 500


@dataclass(frozen=True)
class Unknown:
    """A text of a column that names nothing known, how many rows have it, and what it probably means."""

    field_id: str
    label: str
    text: str
    count: int
    suggestion: str
    may_be_new: bool


def names_of(described: Importer) -> dict[str, tuple[str, ...]]:
    """All names under which files know each field, the best first."""
    return {
        column.field.id: (column.field.id, column.field.label, *column.field.aliases) for column in described.columns
    }


def required_of(described: Importer) -> dict[str, str]:
    return {column.field.id: column.field.label for column in described.columns if column.field.required}


def likely_kind(heading: Sequence[str]) -> str:
    """The kind of record that the heading fits best, or empty."""
    scores = [(fit(heading, names_of(item), list(required_of(item))), item.key) for item in importers()]
    best = max(scores, default=(0.0, ""))
    return best[1] if best[0] > 0 else ""


def guess(described: Importer, heading: Sequence[str]) -> dict[str, str]:
    return guessed_mapping(heading, names_of(described))


def date_readings(batch: Batch, mapping: Mapping[str, str]) -> dict[str, DateReading]:
    """How each mapped date column may be read, by field id."""
    described = importer(batch.kind)
    wanted = {
        field_id: batch.heading.index(column)
        for column, field_id in mapping.items()
        if described.by_id[field_id].field.kind is Kind.DAY
    }
    if not wanted:
        return {}
    rows = list(BatchRow.objects.filter(batch=batch).values_list("cells", flat=True))
    return {field_id: date_reading(cells[place] for cells in rows) for field_id, place in wanted.items()}


def options_of(column: Column) -> Choices:
    """What a text of this column may stand for."""
    if column.options is not None:
        return column.options()
    return column.field.options()


def _all_cells(batch: Batch) -> Iterable[Sequence[str]]:
    return BatchRow.objects.filter(batch=batch).values_list("cells", flat=True).iterator(chunk_size=5000)


def _known(column: Column, texts: Sequence[str], meanings: Mapping[str, str]) -> dict[str, Any]:
    """What each text stands for: what a person said, else what it says exactly."""
    known: dict[str, Any] = {}
    if column.find is not None:
        known.update(column.find(texts))
    else:
        options = options_of(column) if column.field.kind is Kind.CHOICE else ()
        for text in texts:
            found = find_country(text) if column.field.kind is Kind.COUNTRY else exact_choice(text, options)
            if found:
                known[text] = found
    is_link = column.field.kind is Kind.LINK
    for text, meaning in meanings.items():
        known[text] = (UUID(meaning) if is_link else meaning) if meaning else None
    return known


def mapped_columns(batch: Batch, rows: Iterable[Sequence[str]] | None = None) -> list[MappedColumn]:
    """The columns of the file that are mapped, with what their texts stand for. One statement per kind of link.

    ``rows`` are the cells whose texts matter; without them all rows of the batch do.
    """
    described = importer(batch.kind)
    places = {field_id: batch.heading.index(column) for column, field_id in batch.mapping.items()}
    standing = [field_id for field_id in places if described.by_id[field_id].field.kind in STANDING_FOR]
    texts: dict[str, set[str]] = {field_id: set() for field_id in standing}
    if standing:
        for cells in rows if rows is not None else _all_cells(batch):
            for field_id in standing:
                if cells[places[field_id]]:
                    texts[field_id].add(cells[places[field_id]])
    own = _own_names(batch, described, places)
    columns: list[MappedColumn] = []
    for field_id, place in sorted(places.items(), key=lambda item: item[1]):
        column = described.by_id[field_id]
        known = None
        if field_id in texts:
            known = _known(column, sorted(texts[field_id]), batch.meanings.get(field_id, {}))
        columns.append(
            MappedColumn(
                place=place,
                name=batch.heading[place],
                field_id=field_id,
                label=column.field.label,
                kind=column.field.kind.value,
                required=column.field.required,
                clean=_cleaner(column),
                date_order=batch.date_orders.get(field_id, "year-month-day"),
                known=known,
                may_be_new=_may_be_new(described, column, own),
            )
        )
    return columns


class _Anything:
    """Holds every text."""

    def __contains__(self, text: object) -> bool:
        return True


def _may_be_new(described: Importer, column: Column, own: frozenset[str]) -> Container[str]:
    """Texts that may become new records:

    all, when the column says so; those of the file itself, when it links to its kind.
    """
    if column.may_be_new:
        return _Anything()
    return own if column.field.to == described.key else frozenset()


def _own_names(batch: Batch, described: Importer, places: Mapping[str, int]) -> frozenset[str]:
    """What the rows of the file call themselves, when a column of it links to its own kind."""
    links = any(described.by_id[field_id].field.to == described.key for field_id in places)
    names = [column.field.id for column in described.columns if column.identifies and column.field.id in places]
    if not links or not names:
        return frozenset()
    return frozenset(cells[places[name]] for cells in _all_cells(batch) for name in names if cells[places[name]])


def _cleaner(column: Column) -> Callable[[Any], Any]:
    described = replace(column.field, required=False)

    def clean(raw: Any) -> Any:
        try:
            return clean_value(described, raw)
        except BadValue as bad:
            raise ValueError(bad.code, bad.message) from None

    return clean


def unknown_values(batch: Batch) -> list[Unknown]:
    """Every text that stands for nothing known, once, the most frequent first."""
    described = importer(batch.kind)
    columns = [column for column in mapped_columns(batch) if column.known is not None]
    counts: Counter[tuple[str, str]] = Counter()
    for cells in _all_cells(batch):
        for column in columns:
            text = cells[column.place]
            if text and column.known is not None and text not in column.known and not _from_file(column, text):
                counts[(column.field_id, text)] += 1
    found: list[Unknown] = []
    options: dict[str, Choices] = {}
    for (field_id, text), count in counts.most_common():
        wanted = described.by_id[field_id]
        if field_id not in options:
            options[field_id] = options_of(wanted)
        if wanted.field.kind is Kind.COUNTRY:
            suggestion = next(iter(similar_countries(text)), "")
        else:
            suggestion = probable(text, options[field_id]) or ""
        found.append(Unknown(field_id, wanted.field.label, text, count, suggestion, wanted.may_be_new))
    return found


def _from_file(column: MappedColumn, text: str) -> bool:
    """Whether a row of the file itself bears this name, so that nobody need be asked."""
    return isinstance(column.may_be_new, frozenset) and text in column.may_be_new


def judged(batch: Batch, rows: Sequence[BatchRow]) -> Iterator[tuple[BatchRow, Verdict, LoadRow | None]]:
    """Each row with its verdict, and its values when it can be loaded."""
    described = importer(batch.kind)
    columns = mapped_columns(batch, [row.cells for row in rows])
    required = required_of(described)
    good: list[tuple[BatchRow, LoadRow]] = []
    bad: dict[int, Verdict] = {}
    for row in rows:
        values, problems = converted(row.cells, columns, required)
        if problems:
            bad[row.number] = Verdict("error", problems=tuple(problems))
        else:
            good.append((row, LoadRow(row.number, values)))
    verdicts = described.check([load for _, load in good], batch.options) if good else []
    judged_good = {row.number: (verdict, load) for (row, load), verdict in zip(good, verdicts, strict=True)}
    for row in rows:
        if row.number in bad:
            yield row, bad[row.number], None
        else:
            verdict, load = judged_good[row.number]
            yield row, verdict, (None if verdict.action == "error" else load)


def problems_as_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"field": item.field, "code": item.code, "message": item.message} for item in problems]
