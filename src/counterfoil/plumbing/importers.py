"""What a kind of record is to an imported file, described once by its room.

``importing`` reads these descriptions and calls the room's commands by name, so it knows files and mappings but no
invoice. Everything works on sets of rows: finding links, checking and loading each take many rows and a fixed number of
statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from counterfoil.core.errors import Problem
from counterfoil.plumbing.record_types import Choices, Field

Texts = Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column that a file may have. ``field`` says what its values are and under which names files know it.

    For a link, ``find`` gives the ids of the texts that name a record exactly; texts that it does not find are asked
    for once, with ``options`` to choose from. With ``may_be_new`` an unknown text is passed on as ``NewText`` and may
    become a new record. For a choice, the options are the field's own. ``identifies`` marks what a row is recognised
    by.
    """

    field: Field
    identifies: bool = False
    find: Callable[[Texts], Mapping[str, UUID]] | None = None
    options: Callable[[], Choices] | None = None
    may_be_new: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a row would become: ``new``, ``update``, ``same``, ``duplicate`` or ``error``; and of which record."""

    action: str
    record_id: UUID | None = None
    title: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class LoadRow:
    """One cleaned row. ``number`` is its place in the file, counted from 1 without the heading."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Loaded:
    """What a row became. ``action`` is new or updated. ``version`` is the record's version after the load: a later one
    means that somebody changed it since. ``before`` holds the old values of an update as JSON, so that it can be
    undone.
    """

    number: int
    action: str
    record_key: str
    record_id: UUID
    version: int
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A record that undoing a load left alone, and why."""

    record_key: str
    record_id: UUID
    why: str


@dataclass(frozen=True)
class Importer:
    """How files of one kind are taken in. ``load`` and ``unload`` are names of commands:

    ``load(actor, rows: Sequence[LoadRow], options, on, at) -> list[Loaded]`` loads a chunk in one transaction;
    ``unload(actor, loaded: Sequence[Loaded], on, at, reason) -> list[Kept]`` takes it back as far as possible.
    ``check(rows, options) -> list[Verdict]`` gives one verdict per row and changes nothing. ``options`` are asked once.
    """

    key: str
    label: str
    what: str
    columns: tuple[Column, ...]
    load: str
    unload: str
    check: Callable[[Sequence[LoadRow], Mapping[str, Any]], list[Verdict]]
    needs: str = "importing.run"
    options: tuple[Field, ...] = ()
    by_id: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {column.field.id: column for column in self.columns})


_importers: dict[str, Importer] = {}


def register(importer: Importer) -> Importer:
    _importers[importer.key] = importer
    return importer


def importer(key: str) -> Importer:
    """The description; raises ``KeyError`` for an unknown key."""
    return _importers[key]


def importers() -> list[Importer]:
    return list(_importers.values())
