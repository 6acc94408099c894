"""Many rows at once: read plainly; new ones by ``COPY``, or one ``INSERT`` when they are few; changed ones each to
values of its own in one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import repeat
from operator import attrgetter, is_, itemgetter
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import DataError, connection, models
from django.db.models.base import ModelState
from psycopg.adapt import PyFormat, Transformer

M = TypeVar("M", bound=models.Model)


def new_row(model: type[M], /, **values: Any) -> M:
    """A row in memory, as the model would make it, at a tenth of its cost. Links are named by their columns.

    What is left out has its default. For the rows of large sets: Django's signals and setters are passed by.
    """
    blank, made = _blank(model)
    row = model.__new__(model)
    inside = blank | values
    inside["_state"] = ModelState()
    for name, make in made:
        if name not in values:
            inside[name] = make()
    assert len(inside) == len(blank), values.keys() - blank.keys()
    row.__dict__ = inside
    return row


@cache
def _blank(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """What a row holds of which nothing is said, and the columns whose default is made anew for each row. A dictionary
    is copied faster than it is filled.
    """
    fields = model._meta.concrete_fields
    made = [(field.attname, field.default) for field in fields if field.has_default() and callable(field.default)]
    names = {name for name, _ in made}
    blank = {field.attname: None if field.attname in names else field.get_default() for field in fields}
    return {"_state": None, **blank}, made


def read_where(
    model: type[M], condition: str, *values: Any, order: str = "", lock: bool = False, only: tuple[str, ...] = ()
) -> list[M]:
    """The rows of a model where a condition in SQL holds, made as ``new_row`` makes them; with ``lock``, locked.

    For reads that happen thousands of times: composing a query costs Django several times what running it costs.
    ``condition`` and ``order`` are written by us and never hold an input; inputs are ``values``, lists as arrays.
    With ``only``, no other columns are read than these and the key.
    """
    (rows,) = read_together(Wanted(model, condition, values, order, lock, only))
    return rows


@dataclass(frozen=True)
class Wanted:
    """Rows that are read with others, as ``read_where`` reads them."""

    model: type[models.Model]
    condition: str
    values: tuple[Any, ...] = ()
    order: str = ""
    lock: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A statement of our own whose rows are read with others, as they are."""

    statement: str
    values: tuple[Any, ...] = ()


def read_together(*wanted: Wanted | Asked) -> list[list[Any]]:
    """What ``read_where`` answers for each, and the plain rows of what is asked, in one round trip. None may build on
    what another one finds; each sees what was committed before it.
    """
    found: list[list[Any]] = []
    with connection.cursor() as cursor:
        known: dict[int, str] = {}
        cursor.execute(_checked(";\n".join([_stated(one, known) for one in wanted])))
        for one in wanted:
            found.append(_rows_read(one, cursor.fetchall()))
            cursor.nextset()
    return found


def _stated(one: Wanted | Asked, known: dict[int, str]) -> str:
    """The statement with its values; ``known`` are those that others of the same trip have, by identity."""
    for value in one.values:
        if id(value) not in known:
            known[id(value)] = _literal(value)
    written = tuple([known[id(value)] for value in one.values])
    if isinstance(one, Asked):
        return one.statement % written
    _, select, _ = _selecting(one.model, one.only)
    ordered = f"{' ORDER BY ' if one.order else ''}{one.order}{' FOR UPDATE' if one.lock else ''}"
    return f"{select} WHERE {one.condition % written}{ordered}"


def _rows_read(one: Wanted | Asked, read: list[tuple[Any, ...]]) -> list[Any]:
    if isinstance(one, Asked):
        return read
    blank, _, json_places = _selecting(one.model, one.only)
    return [_row_read(one.model, blank, json_places, row) for row in read]


def _row_read(model: type[M], blank: dict[str, Any], json_places: Sequence[str], read: tuple[Any, ...]) -> M:
    row = model.__new__(model)
    inside = blank.copy()
    inside.update(zip(blank, read))  # noqa: B905 - the state comes last
    for name in json_places:
        kept = inside[name]
        inside[name] = None if kept is None else orjson.loads(kept)
    state = inside["_state"] = ModelState()
    state.adding, state.db = False, "default"
    row.__dict__ = inside
    return row


@cache
def _selecting(model: type[models.Model], only: tuple[str, ...]) -> tuple[dict[str, Any], str, list[str]]:
    """What a row holds before it is read: a model's columns, or some; the statement that reads them; and those that
    hold JSON.
    """
    fields = [field for field in model._meta.concrete_fields if not only or field.primary_key or field.attname in only]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    select = f"SELECT {columns} FROM {connection.ops.quote_name(model._meta.db_table)}"  # noqa: S608 - the model's names
    blank = dict.fromkeys([*(field.attname for field in fields), "_state"])
    return blank, select, [field.attname for field in fields if isinstance(field, models.JSONField)]


def insert_rows(rows: Iterable[models.Model]) -> None:
    """Write new rows of one model in one statement, whether one or a hundred thousand. Triggers and constraints hold.
    Within ``one_trip`` they may go out with others.

    The rows have their keys, but for keys that the database counts, which are not read back. Django's hooks before
    saving are not called. Raises Django's ``IntegrityError``.
    """
    new = list(rows)
    if not new:
        return
    table, columns, read, json_places = _writing(type(new[0]))
    if len(new) <= _FEW:  # one round trip instead of two
        values = ", ".join([_row_of(read(row.__dict__), json_places) for row in new])
        _send(f"INSERT INTO {table} ({columns}) VALUES {values}")  # noqa: S608 - the model's names, and literals
        return
    _flush(_waiting.get())
    statement = f"COPY {table} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for start in range(0, len(new), _COPIED_AT_ONCE):
            some = zip(*[read(row.__dict__) for row in new[start : start + _COPIED_AT_ONCE]], strict=True)
            texts = [_column(values, is_json=place in json_places) for place, values in enumerate(some)]
            copy.write("\n".join([*map("\t".join, zip(*texts, strict=True)), ""]).encode())


@contextmanager
def one_trip() -> Iterator[None]:
    """Send the rows that are written within to the database together at the end, in the order in which they were
    written. Large sets do not wait. What is read within sees none of them, and what the database refuses is raised at
    the end.
    """
    if _waiting.get() is not None:
        yield
        return
    statements: list[str] = []
    token = _waiting.set(statements)
    try:
        yield
    finally:
        _waiting.reset(token)
    _flush(statements)


_waiting: ContextVar[list[str] | None] = ContextVar("counterfoil_waiting_statements", default=None)


def _send(statement: str) -> None:
    """Run a statement without parameters, or let it wait for the end of ``one_trip``."""
    _checked(statement)
    waiting = _waiting.get()
    if waiting is not None:
        waiting.append(statement)
        return
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _checked(statement: str) -> str:
    """A statement ends at the character NUL, wherever that stands."""
    if "\0" in statement:
        raise DataError("PostgreSQL keeps no text with the character NUL.")
    return statement


def _flush(statements: list[str] | None) -> None:
    if statements:
        with connection.cursor() as cursor:
            cursor.execute(";\n".join(statements))
        statements.clear()


_COPIED_AT_ONCE = 200
_LOOKED_AT = 16
_FEW = 4


@cache
def _writing(
    model: type[models.Model],
) -> tuple[str, str, Callable[[dict[str, Any]], tuple[Any, ...]], frozenset[int]]:
    """The table of a model, its columns, what reads a row's values in their order, and the places of its JSON."""
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    read = itemgetter(*(field.attname for field in fields))
    json_places = frozenset(place for place, field in enumerate(fields) if isinstance(field, models.JSONField))
    return connection.ops.quote_name(meta.db_table), columns, read, json_places


def _json(value: Any) -> str:
    """A value as JSON; ``TypeError`` for what is none, such as a decimal."""
    return orjson.dumps(value).decode()


def _row_of(values: tuple[Any, ...], json_places: frozenset[int]) -> str:
    """A row as literals of a statement."""
    if json_places:
        values = tuple(
            _json(value) if place in json_places and value is not None else value for place, value in enumerate(values)
        )
    return f"({', '.join([_LITERALS[value.__class__](value) for value in values])})"


def _column(values: tuple[Any, ...], *, is_json: bool) -> Sequence[str]:
    """A column of several rows as ``COPY`` reads it. Columns mostly hold one kind, often the same value, and no text
    with a character to escape; what rows share is written once.
    """
    first = values[0]
    if first is values[-1] and all(map(is_, values, repeat(first))):
        return [*_texts((first,), is_json=is_json)] * len(values)
    if len({*map(id, values[:_LOOKED_AT])}) * 2 <= _LOOKED_AT:
        shared = dict(zip(map(id, values), values, strict=True))
        once = dict(zip(shared, _texts(tuple(shared.values()), is_json=is_json), strict=True))
        return [*map(once.__getitem__, map(id, values))]
    return _texts(values, is_json=is_json)


def _texts(values: tuple[Any, ...], *, is_json: bool) -> Sequence[str]:
    """Values of a column, each as ``COPY`` reads it."""
    if is_json:
        texts = ["" if value is None else _json(value) for value in values]
        if _needs_escape("".join(texts)):
            texts = list(map(_escaped, texts))
        return ["\\N" if value is None else text for value, text in zip(values, texts, strict=True)]
    kinds = {value.__class__ for value in values}
    if len(kinds) > 1:
        return [_WRITERS[value.__class__](value) for value in values]
    (kind,) = kinds
    if kind is str and not _needs_escape("".join(values)):
        return values
    if kind is UUID:
        return [value.int.to_bytes(16, "big").hex() for value in values]
    return list(map(_WRITERS[kind], values))


def _needs_escape(text: str) -> bool:
    return "\\" in text or "\t" in text or "\n" in text or "\r" in text  # a tenth of what a pattern costs


def _text(value: str) -> str:
    return _escaped(value) if _needs_escape(value) else value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _other(value: Any) -> str:
    """A value of a rarer kind, as psycopg writes it."""
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, list) and all(type(one) is UUID for one in value):
        return str(_array(value))
    dumped = Transformer(connection.connection).get_dumper(value, PyFormat.TEXT).dump(value)
    return _escaped(bytes(dumped or b"").decode())


class _ByKind(dict[type, Callable[[Any], str]]):
    """How a value of each kind is written; ``other`` writes those of rarer kinds."""

    def __init__(self, known: dict[type, Callable[[Any], str]], other: Callable[[Any], str]) -> None:
        super().__init__(known)
        self.other = other

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        return self.other


_WRITERS = _ByKind(
    {
        type(None): lambda value: "\\N",
        str: _text,
        UUID: lambda value: value.int.to_bytes(16, "big").hex(),  # a quarter of what formatting costs
        Decimal: str,
        int: str,
        bool: lambda value: "t" if value else "f",
        datetime: datetime.isoformat,
        date: date.isoformat,
    },
    _other,
)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal_text(value: str) -> str:
    """A text as PostgreSQL reads it in a statement. What needs an escape is written by psycopg, which asks the server
    how.
    """
    return _literal_other(value) if "'" in value or "\\" in value else f"'{value}'"


def _literal_other(value: Any) -> str:
    if isinstance(value, str):
        value = str(value)
    with connection.wrap_database_errors:
        return Transformer(connection.connection).as_literal(_array(value)).decode()


# As a statement reads them, at a place whose type it knows.
_LITERALS = _ByKind(
    {
        type(None): lambda value: "NULL",
        str: _literal_text,
        UUID: lambda value: f"'{value.int.to_bytes(16, 'big').hex()}'",
        Decimal: lambda value: f"'{value}'",
        int: lambda value: f"'{value}'",
        bool: lambda value: "'t'" if value else "'f'",
        datetime: lambda value: f"'{value.isoformat()}'",
        date: lambda value: f"'{value.isoformat()}'",
    },
    _literal_other,
)

_ELEMENTS: dict[type, Callable[[Any], str]] = {
    **{kind: _WRITERS[kind] for kind in (UUID, Decimal, int, bool, datetime, date)},
    type(None): lambda value: "NULL",
    str: _quoted,
}


def _literal(value: Any) -> str:
    """A value, or a list as an array, as a statement reads it."""
    written = _array(value)
    return _LITERALS[written.__class__](written)


def _array(value: Any) -> Any:
    """A list as PostgreSQL writes an array, at a tenth of psycopg's cost; psycopg writes anything else itself."""
    if type(value) is not list:
        return value
    writers = [_ELEMENTS.get(one.__class__) for one in value]
    if None in writers:
        return value
    return "{" + ",".join([write(one) for write, one in zip(writers, value, strict=True) if write]) + "}"


@models.UUIDField.register_lookup
@models.ForeignKey.register_lookup
class Among(models.Lookup):
    """``link__among=ids``, ``pk__among=ids``: one of many, which go as one array. As parameters, Django and psycopg
    look at each of them several times.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*values, _array(list(self.rhs)))


def update_rows(rows: Sequence[models.Model], columns: Sequence[str]) -> None:
    """Write these columns of rows that are there already: one statement, however many rows and columns. Within
    ``one_trip`` it may go out with others.

    ``columns`` are names of fields; a link may be named by its field. The rows are of one model.
    """
    if not rows:
        return
    change, read = _changing(type(rows[0]), tuple(columns))
    arrays = (
        _array([_json(value) if is_json and value is not None else value for value in map(attrgetter(name), rows)])
        for name, is_json in read
    )
    _send(change.format(*[_LITERALS[array.__class__](array) for array in arrays]))


@cache
def _changing(model: type[models.Model], columns: tuple[str, ...]) -> tuple[str, list[tuple[str, bool]]]:
    """The statement that writes these columns of rows, with a place for each array, and for each array the attribute
    that it holds, and whether that is JSON.
    """
    meta = model._meta
    key = meta.pk
    assert key is not None
    types, names, read = [], [], []
    for field in (key, *(meta.get_field(name) for name in columns)):
        assert isinstance(field, models.Field)
        kind = field.rel_db_type(connection) if field.is_relation or field is key else field.db_type(connection)
        is_json = isinstance(field, models.JSONField)
        read.append((field.attname, is_json))
        types.append("text[]" if is_json else f"{kind}[]")
        names.append((connection.ops.quote_name(field.column or ""), "::jsonb" if is_json else ""))
    table = connection.ops.quote_name(meta.db_table)
    (key_name, _), *changed = names
    sets = ", ".join(f"{name} = new.{name}{cast}" for name, cast in changed)
    given = ", ".join(name for name, _ in names)
    values = ", ".join(f"{{}}::{kind}" for kind in types)
    # Every name comes from the model, never from an input.
    new = f"unnest({values}) AS new ({given})"
    return f"UPDATE {table} SET {sets} FROM {new} WHERE {table}.{key_name} = new.{key_name}", read  # noqa: S608


def delete_rows(rows: Sequence[models.Model]) -> None:
    """Remove rows of one model in one statement. What other rows hang on them is the database's business."""
    if not rows:
        return
    table = connection.ops.quote_name(rows[0]._meta.db_table)
    ids = _LITERALS[str](_array([row.pk for row in rows]))
    _send(f"DELETE FROM {table} WHERE id = ANY({ids})")  # noqa: S608 - the model's name, and a literal
