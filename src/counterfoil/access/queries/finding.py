"""Finding records of every kind by text, as the reader may see them.

A record type says by which fields it is found; a field whose group the reader may not see is not searched either, so
that finding tells nothing that reading would not. Every word must occur in one of the fields; what begins with the
text comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from counterfoil.access.actors import Actor
from counterfoil.core.errors import NotFound
from counterfoil.plumbing.record_types import Kind, RecordType, record_type, record_types

TEXT_MAX = 200
WORDS_MAX = 6
_FIGURES = (Kind.AMOUNT, Kind.DECIMAL)


@dataclass(frozen=True)
class Hit:
    """A record that was found. ``page`` is the URL name that shows it, ``""`` when no page does."""

    key: str
    id: UUID
    title: str
    hint: str
    page: str


def find(actor: Actor, key: str, text: str, limit: int = 10) -> list[Hit]:
    """Records of one kind, best first; without text the first ones by name. ``NotFound`` for a kind that is not
    there.
    """
    try:
        described = record_type(key)
    except KeyError:
        raise NotFound() from None
    if not actor.may(described.see) or not _columns(actor, described):
        raise NotFound()
    return _found(actor, described, text, limit)


def find_everywhere(actor: Actor, text: str, limit: int = 5) -> list[tuple[str, list[Hit]]]:
    """Records of every kind that has a page, by the plural of the kind; kinds with nothing are left out."""
    if not text.strip():
        return []
    groups = []
    for described in record_types():
        if described.page and actor.may(described.see) and _columns(actor, described):
            hits = _found(actor, described, text, limit)
            if hits:
                groups.append((described.plural, hits))
    return groups


def _columns(actor: Actor, described: RecordType) -> list[tuple[str, Kind]]:
    """The columns that this reader may search, in the order of the description."""
    return [
        (column, described.by_id[name].kind)
        for name, column in described.search.items()
        if described.by_id[name].group in actor.reads
    ]


def _found(actor: Actor, described: RecordType, text: str, limit: int) -> list[Hit]:
    columns = _columns(actor, described)
    words = text[:TEXT_MAX].split()[:WORDS_MAX]
    texts = [column for column, kind in columns if kind not in _FIGURES]
    condition = Q()
    for word in words:
        one = Q()
        for column, kind in columns:
            one |= _matches(column, kind, word)
        condition &= one
    if len(words) == 1 and (wanted := _as_id(words[0])) is not None:
        condition |= Q(pk=wanted)
    begins = Q()
    for column in texts:
        begins |= Q(**{f"{column}__istartswith": " ".join(words)})
    records: QuerySet[Any] = described.model._default_manager.filter(condition)
    rank = Case(When(begins, then=Value(0)), default=Value(1), output_field=IntegerField())
    order = [rank, texts[0]] if words and texts else texts[:1]
    hint = _hint_column(actor, described)
    if hint and "__" in hint:
        records = records.select_related(hint.rpartition("__")[0])
    unique: dict[Any, Any] = {}
    # A search over rows of another table finds a record once for each of them; more than the limit is read for that.
    for record in records.order_by(*order, "-pk")[: limit * 3]:
        unique.setdefault(record.pk, record)
    return [
        Hit(described.key, record.pk, described.title(record), _text_at(record, hint), described.page)
        for record in list(unique.values())[:limit]
    ]


def _matches(column: str, kind: Kind, word: str) -> Q:
    if kind not in _FIGURES:
        return Q(**{f"{column}__icontains": word})
    number = _as_number(word)
    return Q(**{column: number}) if number is not None else Q(pk__in=())


def _as_number(word: str) -> Decimal | None:
    """An amount as people type it into a search: ``1,250.00``, ``1250``."""
    try:
        number = Decimal(word.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 12 else None


def _as_id(word: str) -> UUID | None:
    try:
        return UUID(word) if len(word) in (32, 36) else None
    except ValueError:
        return None


def _hint_column(actor: Actor, described: RecordType) -> str:
    if described.hint is None:
        return ""
    name, column = described.hint
    return column if described.by_id[name].group in actor.reads else ""


def _text_at(record: Any, path: str) -> str:
    value: Any = record
    for part in path.split("__") if path else ():
        value = getattr(value, part, None)
    return "" if value is None or not path else str(value)


def titles_of(wanted: dict[str, set[UUID]]) -> dict[UUID, str]:
    """The titles of records by id, one statement per kind."""
    found: dict[UUID, str] = {}
    for key, ids in wanted.items():
        described = record_type(key)
        for record in described.model._default_manager.filter(pk__in=ids):
            found[record.pk] = described.title(record)
    return found
