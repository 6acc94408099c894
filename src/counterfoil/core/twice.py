"""JSON objects that say one of their names twice. Readers take the last value; which one was meant nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


class _Twice(dict[str, Any]):
    """An object that says ``name`` twice."""

    name = ""


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The ``object_pairs_hook`` that keeps what ``said_twice`` finds."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    marked = _Twice(found)
    marked.name = next(name for place, name in enumerate(names) if name in names[:place])
    return marked


def said_twice(raw: Any) -> Iterator[Path]:
    """Where the JSON value says a name twice: names and places in lists, from the outside in."""
    waiting: list[tuple[Any, Path]] = [(raw, ())]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, _Twice):
            yield (*path, value.name)
        if isinstance(value, dict):
            waiting += ((each, (*path, name)) for name, each in value.items())
        elif isinstance(value, list):
            waiting += ((each, (*path, place)) for place, each in enumerate(value))
