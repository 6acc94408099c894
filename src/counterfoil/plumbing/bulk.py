"""Writing many rows at once: new ones by ``COPY``, changed ones each to values of its own in one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

from django.db import connection, models
from psycopg.types.json import Jsonb


def insert_rows(rows: Iterable[models.Model]) -> None:
    """Write new rows of one model by ``COPY``, whether one or a hundred thousand. Triggers and constraints hold.

    The rows have their keys, but for keys that the database counts, which are not read back. Django's hooks before
    saving are not called. Raises Django's ``IntegrityError``.
    """
    new = list(rows)
    if not new:
        return
    statement, read = _copying(type(new[0]))
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in new:
            copy.write_row(read(row))


@cache
def _copying(model: type[models.Model]) -> tuple[str, Callable[[models.Model], list[Any]]]:
    """The statement for a model, and what reads a row's values in its order."""
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    read = attrgetter(*(field.attname for field in fields))
    packed = [
        (place, partial(Jsonb, dumps=partial(json.dumps, cls=field.encoder)))
        for place, field in enumerate(fields)
        if isinstance(field, models.JSONField)
    ]

    def values(row: models.Model) -> list[Any]:
        found = list(read(row))
        for place, pack in packed:
            if found[place] is not None:
                found[place] = pack(found[place])
        return found

    return f"COPY {connection.ops.quote_name(meta.db_table)} ({columns}) FROM STDIN", values


def update_rows(rows: Sequence[models.Model], columns: Sequence[str]) -> None:
    """Write these columns of rows that are there already: one statement, however many rows and columns.

    ``columns`` are names of fields; a link may be named by its field. The rows are of one model.
    """
    if not rows:
        return
    meta = rows[0]._meta
    key = meta.pk
    assert key is not None
    fields = [key, *(meta.get_field(name) for name in columns)]
    arrays, types, names = [], [], []
    for field in fields:
        assert isinstance(field, models.Field)
        kind = field.rel_db_type(connection) if field.is_relation or field is key else field.db_type(connection)
        is_json = isinstance(field, models.JSONField)
        arrays.append([_value(field, row, is_json) for row in rows])
        types.append("text[]" if is_json else f"{kind}[]")
        names.append((connection.ops.quote_name(field.column or ""), "::jsonb" if is_json else ""))
    table = connection.ops.quote_name(meta.db_table)
    (key_name, _), *changed = names
    sets = ", ".join(f"{name} = new.{name}{cast}" for name, cast in changed)
    given = ", ".join(name for name, _ in names)
    values = ", ".join(f"%s::{kind}" for kind in types)
    # Every name comes from the model, never from an input.
    new = f"unnest({values}) AS new ({given})"
    change = f"UPDATE {table} SET {sets} FROM {new} WHERE {table}.{key_name} = new.{key_name}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(change, arrays)


def _value(field: models.Field[Any, Any], row: models.Model, is_json: bool) -> Any:
    value = getattr(row, field.attname)
    if is_json:
        return None if value is None else json.dumps(value, cls=field.encoder)  # type: ignore[attr-defined]
    return value
