"""The command door: every write of the product comes through here.

``@command`` opens the transaction, checks the right at the outermost command only, cleans and guards the values that it
declares, sets the audit context, and writes the events. It does nothing else.
"""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from django.db import connection, transaction
from django.db.utils import OperationalError

from counterfoil.access.actors import Actor
from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.core.errors import NotAllowed, Problem, Refusal
from counterfoil.core.ids import new_id
from counterfoil.plumbing import outbox, record_types
from counterfoil.plumbing.registry import register_command
from counterfoil.plumbing.scratch import is_one_wish

P = ParamSpec("P")
R = TypeVar("R")

DEADLOCK_TRIES = 4
_REPEATABLE = {"40001", "40P01", "55P03"}


@dataclass(frozen=True)
class Takes:
    """A parameter that holds a record's values: cleaned by its description and guarded by the actor's field groups.

    The parameter may be one mapping or a sequence of them. With ``partial``, missing fields are left alone.
    """

    record: str
    partial: bool = False


def command(
    name: str, *, needs: str, takes: Mapping[str, Takes] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a command. It must take ``actor`` by keyword, and is called with keywords only."""
    if needs not in PERMISSIONS:
        raise ValueError(f"{name} needs {needs}, which is no permission")
    described = dict(takes or {})

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        if "actor" not in inspect.signature(function).parameters:
            raise TypeError(f"{name} takes no actor")

        @functools.wraps(function)
        def through_the_door(*args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                raise TypeError(f"{name} is called with keywords only")
            actor = kwargs["actor"]
            if not isinstance(actor, Actor):
                raise TypeError(f"{name} needs an actor")
            if outbox.frame.get() is not None:
                _clean(described, kwargs, None)
                with transaction.atomic(savepoint=False):  # a part of a wish; who goes on without it opens a savepoint
                    return function(*args, **kwargs)
            if not actor.may(needs):
                raise NotAllowed("not_allowed", f"You may not do this: {PERMISSIONS[needs].lower()}.")
            return _outermost(name, function, described, actor, kwargs)

        through_the_door.command_name = name  # type: ignore[attr-defined]
        through_the_door.needs = needs  # type: ignore[attr-defined]
        register_command(name, through_the_door)
        return through_the_door

    return wrap


def _outermost(
    name: str, function: Callable[..., R], described: Mapping[str, Takes], actor: Actor, kwargs: dict[str, Any]
) -> R:
    """Run one wish in one transaction. A deadlock is tried again: nothing outside the database has happened yet."""
    in_transaction = connection.in_atomic_block
    for attempt in range(DEADLOCK_TRIES):
        frame = outbox.Frame(new_id(), name, actor.kind, actor.id, actor.name, actor.origin)
        given = dict(kwargs)
        token = outbox.frame.set(frame)
        try:
            with transaction.atomic(savepoint=not is_one_wish()):
                _set_context(frame, actor, given)
                _clean(described, given, actor)
                result = function(**given)
                outbox.write(frame)
                if in_transaction and not is_one_wish():
                    _clear_context()
            return result
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if in_transaction or state not in _REPEATABLE or attempt == DEADLOCK_TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)
        finally:
            outbox.frame.reset(token)
    raise AssertionError("unreachable")


def _set_context(frame: outbox.Frame, actor: Actor, given: Mapping[str, Any]) -> None:
    because = outbox.cause.get()
    context = {
        "run": str(frame.run),
        "command": frame.command,
        "actor_kind": actor.kind,
        "actor_id": str(actor.id) if actor.id else None,
        "actor": actor.name,
        "origin": actor.origin,
        "reason": given.get("reason") if isinstance(given.get("reason"), str) else "",
        "cause": str(because.event) if because else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('counterfoil.context', %s, true)", [json.dumps(context).replace("\\u0000", "")]
        )


def _clear_context() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('counterfoil.context', '', true)")


def _clean(described: Mapping[str, Takes], kwargs: dict[str, Any], actor: Actor | None) -> None:
    """Replace each declared parameter by its cleaned values; with an actor, refuse fields of closed groups first."""
    for parameter, takes in described.items():
        raw = kwargs.get(parameter)
        if raw is None:
            continue
        if isinstance(raw, Sequence) and not isinstance(raw, str | bytes):
            if actor is not None:
                for number, one in enumerate(raw):
                    _guard(takes.record, one, actor, f"{number}.")
            kwargs[parameter] = [
                record_types.clean(takes.record, one, partial=takes.partial, path=f"{number}.")
                for number, one in enumerate(raw)
            ]
        else:
            if actor is not None:
                _guard(takes.record, raw, actor, "")
            kwargs[parameter] = record_types.clean(takes.record, raw, partial=takes.partial)


def _guard(key: str, values: Any, actor: Actor, path: str) -> None:
    """The one guard of every input: a field of a group that the actor may not write is refused, whatever its value."""
    if not isinstance(values, Mapping):
        return
    open_groups = actor.writes
    problems: list[Problem] = []

    def walk(fields: Sequence[record_types.Field], given: Mapping[str, Any], at: str) -> None:
        for item in fields:
            if item.id not in given or item.computed:
                continue
            if item.group not in open_groups:
                problems.append(
                    Problem(
                        at + item.id,
                        "closed_field",
                        f"You may not change {item.label.lower()}. Ask billing or an admin.",
                    )
                )
            elif item.kind is record_types.Kind.ROWS and isinstance(given[item.id], Sequence):
                for number, row in enumerate(given[item.id]):
                    if isinstance(row, Mapping):
                        walk(item.rows, row, f"{at}{item.id}.{number}.")

    walk(record_types.record_type(key).fields, values, path)
    if problems:
        raise NotAllowed(problems[0].code, problems[0].message, problems[0].field, problems)


def check(condition: bool, code: str, message: str, field: str = "") -> None:
    """Refuse the wish unless the condition holds."""
    if not condition:
        raise Refusal(code, message, field)
