"""What an event is: a frozen dataclass of ids and plain values with a public name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform
from uuid import UUID

from counterfoil.core.ids import id_text


class Event:
    """Base of every event. Subclasses are made by ``@event("room.noun_verbed")``.

    The public name has an attribute of its own, since an event may well carry somebody's ``name``.
    """

    event_name: ClassVar[str]


_by_name: dict[str, type[Event]] = {}
E_ = TypeVar("E_", bound=type[Event])


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(name: str) -> Callable[[E_], E_]:
    """Make the class a frozen, keyword-only dataclass and register it under its public name."""

    def register(cls: E_) -> E_:
        made = dataclass(frozen=True, kw_only=True)(cls)
        if name in _by_name and _by_name[name].__qualname__ != made.__qualname__:
            raise ValueError(f"two events are called {name}")
        made.event_name = name
        _by_name[name] = made
        return cast(E_, made)

    return register


def event_class(name: str) -> type[Event]:
    return _by_name[name]


def event_names() -> list[str]:
    return sorted(_by_name)


def payload_of(happened: Event) -> dict[str, Any]:
    """The event as JSON values: ids, dates and decimals as strings."""
    return {name: value if value.__class__ in _PLAIN else _plain(value) for name, value in vars(happened).items()}


_PLAIN = frozenset({str, int, bool, type(None)})


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return id_text(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def subjects_of(happened: Event) -> list[UUID]:
    """The records that the event is about: every field that holds a UUID, or a tuple of them."""
    found: list[UUID] = []
    for value in vars(happened).values():
        if isinstance(value, UUID):
            found.append(value)
        elif isinstance(value, tuple):
            found += [item for item in value if isinstance(item, UUID)]
    return found
