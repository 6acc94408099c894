"""A scratch copy: what is done in it is seen by nobody else, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

_is_scratch: ContextVar[bool] = ContextVar("counterfoil_is_scratch", default=False)
_is_one_wish: ContextVar[bool] = ContextVar("counterfoil_is_one_wish", default=False)
_remembered: ContextVar[dict[Hashable, Any] | None] = ContextVar("counterfoil_remembered", default=None)


@contextmanager
def scratch() -> Iterator[None]:
    """Run in a transaction, or a part of one, that is rolled back at the end, whatever happens.

    Promises that the database keeps for the end of a transaction are asked for before, so that what could not be kept
    for good fails here too. No mail leaves and no job is asked for: nobody could ever run it.
    """
    token = _is_scratch.set(True)
    try:
        with transaction.atomic():
            yield
            ask_now()
            transaction.set_rollback(True)
    finally:
        _is_scratch.reset(token)


def ask_now() -> None:
    """Have the database keep now the promises that it keeps for the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def is_scratch() -> bool:
    """Whether what happens now happens in a scratch copy."""
    return _is_scratch.get()


@contextmanager
def as_one_wish() -> Iterator[None]:
    """Say that all commands from here on are one wish: when one of them fails, nobody goes on with what was done
    before. So none of them needs a savepoint of its own.
    """
    token = _is_one_wish.set(True)
    try:
        yield
    finally:
        _is_one_wish.reset(token)


def is_one_wish() -> bool:
    """Whether a command that fails takes everything with it that was done before."""
    return _is_one_wish.get()


@contextmanager
def settings_stay(remembered: dict[Hashable, Any]) -> Iterator[None]:
    """Say that companies, their rates and terms, and who pays for whom do not change any more: they are read once.
    ``remembered`` holds what was read, for the next time.
    """
    token = _remembered.set(remembered)
    try:
        yield
    finally:
        _remembered.reset(token)


def read_once(key: Callable[P, Hashable]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a read of settings ask only once per key while ``settings_stay``; everywhere else it reads each time."""

    def wrap(read: Callable[P, R]) -> Callable[P, R]:
        @wraps(read)
        def reading(*args: P.args, **kwargs: P.kwargs) -> R:
            remembered = _remembered.get()
            if remembered is None:
                return read(*args, **kwargs)
            place = (read.__module__, read.__qualname__, key(*args, **kwargs))
            if place not in remembered:
                remembered[place] = read(*args, **kwargs)
            found: R = remembered[place]
            return found

        return reading

    return wrap
