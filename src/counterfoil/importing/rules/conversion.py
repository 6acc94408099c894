"""A row's cells as values of its kind of record, by the mapping and the meanings that a person confirmed."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from counterfoil.core.errors import Problem
from counterfoil.core.text import NewText
from counterfoil.importing.rules.dates import read_day
from counterfoil.importing.rules.numbers import read_number

NUMBERS = frozenset({"integer", "decimal", "amount"})
STANDING_FOR = frozenset({"link", "choice", "country"})


@dataclass(frozen=True)
class MappedColumn:
    """A column of the file and what its cells are.

    ``clean`` takes a text and gives the value or raises ``ValueError`` with a code and a sentence; ``known`` gives what
    a
    text stands for; a text of ``may_be_new`` that is not known goes on as a ``NewText``.
    """

    place: int
    name: str
    field_id: str
    label: str
    kind: str
    required: bool
    clean: Callable[[Any], Any]
    date_order: str = ""
    known: Mapping[str, Any] | None = None
    may_be_new: Container[str] = ()


def converted(
    cells: Sequence[str], columns: Sequence[MappedColumn], required: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The values by field id and the problems. ``required`` are labels of fields that a row must have, by id."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for column in columns:
        text = cells[column.place]
        if not text:
            continue
        try:
            values[column.field_id] = _value(text, column)
        except ValueError as error:
            code, message = error.args if len(error.args) == 2 else ("not_readable", f"{column.label} cannot be read.")
            problems.append(Problem(column.field_id, code, message))
    said = {problem.field for problem in problems}
    for field_id, label in required.items():
        if values.get(field_id) in (None, "") and field_id not in said:
            problems.append(Problem(field_id, "missing", f"{label} is missing."))
    return values, problems


def _value(text: str, column: MappedColumn) -> Any:
    if column.kind in STANDING_FOR and column.known is not None:
        if text in column.known:
            return column.known[text]
        if text in column.may_be_new:
            return NewText(text)
        raise ValueError("unknown_value", f"{column.label} “{text[:60]}” is not known. Say what it stands for.")
    if column.kind == "day":
        try:
            return read_day(text, column.date_order)
        except ValueError:
            message = f"{column.label} “{text[:30]}” is no date written as {column.date_order}."
            raise ValueError("not_a_date", message) from None
    if column.kind in NUMBERS:
        try:
            return column.clean(read_number(text))
        except ValueError as error:
            if len(error.args) == 2:
                raise
            raise ValueError("not_a_number", f"{column.label} “{text[:30]}” is not a number.") from None
    return column.clean(text)
