"""Who changed what, when, before and after, in words.

The audit trail holds columns; here they become fields of the record types again, so that the projection's rule holds
for the past as well: a value of a closed group is hidden, and a column that no field describes is shown to those only
who read every group.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models

from counterfoil.access.actors import Actor
from counterfoil.access.models import Change
from counterfoil.access.projection import CLOSED
from counterfoil.access.queries.finding import titles_of
from counterfoil.access.rules.roles import EVERY_GROUP
from counterfoil.core.errors import NotFound
from counterfoil.plumbing.record_types import Field, Kind, RecordType, record_type, record_types

_KEY = "record_key"
"""The column that says of which kind the record beside it is."""
_TECHNICAL = {"id", "created_at", "version"}


@dataclass(frozen=True)
class Difference:
    """One value that changed, ready to be shown."""

    label: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Changed:
    """One change of one record. ``what`` is the command in words; ``page`` the URL name of the record, or ``""``."""

    id: int
    at: datetime
    who: str
    who_kind: str
    origin: str
    what: str
    reason: str
    operation: str
    key: str
    kind: str
    record_id: UUID
    title: str
    page: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class _Table:
    """What is known of a table: its record type, the field that each column holds, the kind that a column links to
    without being a field, and what the table itself says of each column.
    """

    label: str
    described: RecordType | None
    fields: dict[str, Field]
    labels: dict[str, str]
    links: dict[str, str]
    columns: dict[str, models.Field[Any, Any]]


def list_changes(
    actor: Actor,
    *,
    by: UUID | None = None,
    key: str = "",
    record_id: UUID | None = None,
    command: str = "",
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Changed]:
    """Changes, newest first: by an actor, of a kind, of a record, by a command, from a day to a day. ``before`` pages
    on.
    """
    if not actor.may("audit.see"):
        return []
    changes = Change.objects.all()
    if by is not None:
        changes = changes.filter(context__contains={"actor_id": str(by)})
    if command:
        changes = changes.filter(context__contains={"command": command})
    if key:
        changes = changes.filter(table_name=_model_table(key))
    if record_id is not None:
        changes = changes.filter(record_id=record_id)
    if since is not None:
        changes = changes.filter(at__date__gte=since)
    if until is not None:
        changes = changes.filter(at__date__lte=until)
    return _page(actor, changes, before, limit)


def changes_of(actor: Actor, key: str, record_id: UUID, *, before: int | None = None, limit: int = 20) -> list[Changed]:
    """The history of one record, for whoever may see the record. ``NotFound`` when it is not there for the actor."""
    try:
        described = record_type(key)
    except KeyError:
        raise NotFound() from None
    if not actor.may(described.see):
        raise NotFound()
    changes = Change.objects.filter(table_name=described.model._meta.db_table, record_id=record_id)
    return _page(actor, changes, before, limit)


def _model_table(key: str) -> str:
    try:
        return record_type(key).model._meta.db_table
    except KeyError:
        return ""


def _page(actor: Actor, changes: models.QuerySet[Change], before: int | None, limit: int) -> list[Changed]:
    """A fixed number of statements: the changes, then the titles of all that they name, one per kind of record."""
    if before is not None:
        changes = changes.filter(id__lt=before)
    rows = list(changes.order_by("-id")[:limit])
    tables = _tables()
    unknown = _Table("Record", None, {}, {}, {}, {})
    known = [(row, tables.get(row.table_name, unknown)) for row in rows]
    seen = [(row, table) for row, table in known if table.described is None or actor.may(table.described.see)]
    wanted: dict[str, set[UUID]] = {}
    for row, table in seen:
        if table.described is not None:
            wanted.setdefault(table.described.key, set()).add(row.record_id)
        fields = {column: field.to for column, field in table.fields.items() if field.kind is Kind.LINK}
        for side in (row.before or {}, row.after or {}):
            for column, to in (table.links | fields | _named_beside(side)).items():
                if side.get(column):
                    wanted.setdefault(to, set()).add(UUID(side[column]))
    titles = titles_of(wanted)
    return [_changed(actor, row, table, titles) for row, table in seen]


def _named_beside(side: dict[str, Any]) -> dict[str, str]:
    """A record of any kind: the column beside its id says which kind."""
    key = side.get(_KEY)
    return {"record_id": key} if key in _types_by_key() else {}


def _changed(actor: Actor, row: Change, table: _Table, titles: dict[UUID, str]) -> Changed:
    context = row.context or {}
    command = context.get("command") or ""
    return Changed(
        id=row.id,
        at=row.at,
        who=context.get("actor") or "",
        who_kind=context.get("actor_kind") or "",
        origin=context.get("origin") or "",
        what=command_in_words(command),
        reason=context.get("reason") or "",
        operation=row.operation,
        key=table.described.key if table.described else "",
        kind=table.label,
        record_id=row.record_id,
        title=titles.get(row.record_id, ""),
        page=table.described.page if table.described and row.record_id in titles else "",
        differences=tuple(_differences(actor, row, table, titles)),
    )


def command_in_words(name: str) -> str:
    """``invoicing.issue_invoices`` → "Issue invoices"; a change that went past the door has no command."""
    return name.partition(".")[2].replace("_", " ").capitalize() if name else "Past the product"


def _differences(actor: Actor, row: Change, table: _Table, titles: dict[UUID, str]) -> list[Difference]:
    old, new = row.before or {}, row.after or {}
    found = []
    order = [*table.fields, *table.labels]
    for column in sorted(old.keys() | new.keys(), key=lambda name: order.index(name) if name in order else len(order)):
        if column in _TECHNICAL or (_is_nothing(old.get(column)) and _is_nothing(new.get(column))):
            continue
        field = table.fields.get(column)
        label = field.label if field else table.labels.get(column, column)
        is_open = field.group in actor.reads if field else actor.reads == EVERY_GROUP
        if is_open:
            plain = table.columns.get(column)
            found.append(Difference(label, *(_in_words(field, plain, side.get(column), titles) for side in (old, new))))
        else:
            found.append(Difference(label, *(CLOSED if column in side else None for side in (old, new))))
    return found


def _is_nothing(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _in_words(field: Field | None, plain: models.Field[Any, Any] | None, value: Any, titles: dict[UUID, str]) -> Any:
    """The value as a reader knows it: a label for a choice, a title for a link, a date for a date."""
    if _is_nothing(value):
        return None
    if field is not None and field.kind is Kind.LINK:
        return _title(value, titles)
    if field is None or isinstance(plain, models.UUIDField) or (plain is not None and plain.column == _KEY):
        return _plain_in_words(plain, value, titles)
    if field.kind in (Kind.CHOICE, Kind.CHOICES):
        labels = {str(key): str(label) for key, label in field.options()}
        parts = value if isinstance(value, list) else [value]
        return ", ".join(labels.get(str(part), str(part)) for part in parts)
    if field.kind is Kind.DAY:
        return date.fromisoformat(value)
    if field.kind is Kind.INSTANT:
        return datetime.fromisoformat(value)
    if field.kind in (Kind.AMOUNT, Kind.DECIMAL):
        return Decimal(str(value))
    return value


def _plain_in_words(plain: models.Field[Any, Any] | None, value: Any, titles: dict[UUID, str]) -> Any:
    """The value of a column by what the table holds there: no field says more of it."""
    if isinstance(value, list):
        return ", ".join(str(_plain_in_words(plain, one, titles)) for one in value)
    if isinstance(value, dict):
        return str(value)
    if isinstance(plain, models.DateTimeField):
        return datetime.fromisoformat(value)
    if isinstance(plain, models.DateField):
        return date.fromisoformat(value)
    if isinstance(plain, models.DecimalField):
        return Decimal(str(value))
    if plain is not None and plain.choices:
        return dict(plain.flatchoices).get(value, value)
    if plain is not None and plain.column == _KEY:
        return _types_by_key().get(value, value)
    return _title(value, titles) if isinstance(value, str) else value


def _title(value: str, titles: dict[UUID, str]) -> str:
    """The title of the record that an id names; of one without a title, the end of its id, which tells it apart."""
    try:
        named = UUID(value)
    except ValueError:
        return value
    return titles.get(named) or f"#{named.hex[-8:]}"


@cache
def _types_by_key() -> dict[str, str]:
    return {item.key: item.label for item in record_types()}


@cache
def _tables() -> dict[str, _Table]:
    described = {item.model: item for item in reversed(record_types())}
    last_words = [item.key.partition(".")[2] for item in record_types()]
    by_word = {
        f"{word}_id": item.key
        for word, item in zip(last_words, record_types(), strict=True)
        if last_words.count(word) == 1
    }
    found = {}
    for model in apps.get_models():
        kind = described.get(model)
        fields = {}
        for item in kind.fields if kind else ():
            column = _column_of(model, item)
            if column:
                fields[column] = item
        columns = {str(field.column): field for field in model._meta.concrete_fields}
        labels = {column: _label(field) for column, field in columns.items()}
        links = {
            column: described[field.related_model].key if field.related_model in described else by_word[column]
            for column, field in columns.items()
            if column not in fields
            and (field.related_model in described or (isinstance(field, models.UUIDField) and column in by_word))
        }
        found[model._meta.db_table] = _Table(
            kind.label if kind else str(model._meta.verbose_name).capitalize(), kind, fields, labels, links, columns
        )
    return found


def _label(field: models.Field[Any, Any]) -> str:
    """What a column is called; one that holds an id is called after what the id names."""
    words = str(field.verbose_name)
    if isinstance(field, models.UUIDField):
        words = words.removesuffix(" id")
    return words.capitalize()


def _column_of(model: type[models.Model], item: Field) -> str:
    for field in model._meta.concrete_fields:
        if field.name == item.attribute:
            return str(field.column)
    return ""


def forget_tables() -> None:
    """Read the record types anew, after one was registered again."""
    _tables.cache_clear()
    _types_by_key.cache_clear()
