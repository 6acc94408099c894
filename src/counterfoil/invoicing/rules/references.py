"""References that an administrator defined: what a deal, subscription or document says of them, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.text import plain
from counterfoil.documents.printed import NamedReference

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_LENGTH, VALUE_LENGTH = 60, 100
FIELDS_MAX, OPTIONS_MAX = 20, 100
TEXT, NUMBER, DAY, CHOICE = "text", "number", "date", "choice"
NOWHERE, NOTE = "none", "note"
FIELD = "reference_values"
"""The field of deals, subscriptions and documents that holds the values by key."""


@dataclass(frozen=True)
class Defined:
    """One defined reference. ``element`` is what of the e-invoice it fills."""

    key: str
    name: str
    kind: str = TEXT
    options: tuple[str, ...] = ()
    is_required: bool = False
    is_printed: bool = True
    element: str = NOTE
    is_retired: bool = False


def key_of(name: str) -> str:
    """The key that a name gives: ``Cost centre`` is ``cost_centre``; empty where it has no letters to begin with."""
    return re.sub(r"[^a-z0-9]+", "_", plain(name).lower()).strip("_0123456789")[:40].rstrip("_")


def changed(
    before: Mapping[str, str], given: Mapping[str, str] | None, retired: Collection[str] = ()
) -> dict[str, str]:
    """The values after some were given: an empty one is taken away, those that are not named stay.

    A retired field keeps or loses its value; another one is refused.
    """
    given = given or {}
    problems = [
        Problem(f"{FIELD}.{key}", "retired", "This reference is retired. Keep what it says, or empty it.")
        for key, value in given.items()
        if key in retired and value not in ("", before.get(key, ""))
    ]
    if problems:
        raise Refusal.of(problems)
    return {key: value for key, value in {**before, **given}.items() if value}


def lacking(defined: Iterable[Defined], values: Mapping[str, str]) -> list[Defined]:
    """The required references that have no value."""
    return [one for one in defined if one.is_required and not one.is_retired and not values.get(one.key)]


def frozen(defined: Sequence[Defined], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a document says of its references from its issue on, whatever becomes of the fields: those in use first."""
    return [
        {
            "key": one.key,
            "name": one.name,
            "kind": one.kind,
            "value": values[one.key],
            "printed": one.is_printed,
            "element": one.element,
        }
        for one in sorted(defined, key=lambda one: one.is_retired)
        if values.get(one.key)
    ]


def named(facts: Iterable[Mapping[str, Any]]) -> tuple[NamedReference, ...]:
    """The references as they are printed and written into the e-invoice."""
    return tuple(
        NamedReference(fact["name"], _value(fact["kind"], fact["value"]), fact["element"], fact["printed"])
        for fact in facts
    )


def _value(kind: str, text: str) -> str | Decimal | date:
    return Decimal(text) if kind == NUMBER else date.fromisoformat(text) if kind == DAY else text
