"""The projection: the one layer through which every output passes.

Queries return ``Row`` objects made here, never models. A row holds the fields whose group the actor may read; asking
it for a closed field gives ``CLOSED``, and its API form leaves the field out and names it under ``closed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.core.errors import NotFound
from counterfoil.core.money import Money
from counterfoil.plumbing.record_types import Field, Kind, RecordType, record_type


class _Closed:
    """A value that the actor may not see. False, empty, and printed as dots."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "•••"

    def __repr__(self) -> str:
        return "CLOSED"


CLOSED = _Closed()


class Row(Mapping[str, Any]):
    """A projected record: fields by attribute or by key, in the order of the description; ``id``, ``title``,
    ``version``.

    ``extra`` values that a query adds (counts, labels of links) are there by attribute too.
    """

    __slots__ = ("_extra", "_values", "closed", "id", "key", "page", "title", "version")

    def __init__(
        self, described: RecordType, record: Any, values: dict[str, Any], closed: tuple[str, ...], extra: dict[str, Any]
    ) -> None:
        self.key = described.key
        self.page = described.page
        self.id: UUID = record.pk
        self.title: str = described.title(record)
        self.version: int | None = getattr(record, "version", None)
        self.closed = closed
        self._values = values
        self._extra = extra

    def __getattr__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name in self._extra:
            return self._extra[name]
        if name in self.closed:
            return CLOSED
        raise AttributeError(f"{self.key} has no {name}")

    def __getitem__(self, name: str) -> Any:
        # A field may be called like something that every row has: payment terms have a key.
        if name in self._values:
            return self._values[name]
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def plus(self, **extra: Any) -> Row:
        """Add values that the query worked out. They must not carry a field that is closed."""
        self._extra.update(extra)
        return self


def project(actor: Actor, key: str, records: Iterable[Any]) -> list[Row]:
    """The records as the actor may see them. An actor without the kind's ``see`` right gets none."""
    described = record_type(key)
    if not actor.may(described.see):
        return []
    groups = actor.reads
    visible = [item for item in described.fields if item.group in groups]
    closed = tuple(item.id for item in described.fields if item.group not in groups)
    return [
        Row(described, record, {item.id: _value(item, record, groups) for item in visible}, closed, {})
        for record in records
    ]


def project_one(actor: Actor, key: str, record: Any | None) -> Row:
    """One record, or ``NotFound`` for none and for an actor who may not know of it."""
    rows = project(actor, key, [record] if record is not None else [])
    if not rows:
        raise NotFound()
    return rows[0]


def _value(item: Field, record: Any, groups: frozenset[str]) -> Any:
    value = item.value_of(record)
    if item.kind is Kind.AMOUNT and value is not None and not isinstance(value, Money):
        return Money.exact(value, getattr(record, item.currency))
    if item.kind is Kind.ROWS:
        inner = [sub for sub in item.rows if sub.group in groups]
        return [{sub.id: _value(sub, row, groups) for sub in inner} for row in value]
    return value
