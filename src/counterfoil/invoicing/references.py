"""The references that an administrator defined, as commands, queries and the descriptions of records read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from counterfoil.invoicing.models import ReferenceField
from counterfoil.invoicing.rules.references import (
    CHOICE,
    DAY,
    FIELD,
    NUMBER,
    TEXT,
    VALUE_LENGTH,
    Defined,
    changed,
    frozen,
)
from counterfoil.plumbing.bulk import read_where
from counterfoil.plumbing.record_types import Field, Group, Kind

_KINDS = {TEXT: Kind.TEXT, NUMBER: Kind.DECIMAL, DAY: Kind.DAY, CHOICE: Kind.CHOICE}
ORDER = "position, name, id"
REQUIRED = "is_required AND NOT is_retired"


def defined(field: ReferenceField) -> Defined:
    """A row as plain values."""
    return Defined(
        field.key,
        field.name,
        field.kind,
        tuple(field.options),
        field.is_required,
        field.is_printed,
        field.element,
        field.is_retired,
    )


def all_defined() -> list[Defined]:
    """All of them in their order, those included that are retired. Not for output."""
    return [defined(one) for one in read_where(ReferenceField, "TRUE", order=ORDER)]


def required() -> list[ReferenceField]:
    """Those without which no deal is won. Not for output."""
    return read_where(ReferenceField, REQUIRED, order=ORDER)


def fields() -> list[Field]:
    """Each as a field whose id is its key, as forms, lists and the command door take it."""
    return [
        Field(
            one.key,
            one.name,
            _KINDS[one.kind],
            max_length=VALUE_LENGTH if one.kind == TEXT else None,
            choices=[(option, option) for option in one.options],
            help="Retired. Keep what it says, or empty it." if one.is_retired else "",
            is_retired=one.is_retired,
        )
        for one in all_defined()
    ]


def values_field(help: str) -> Field:
    """The field of a kind of record that holds the values of the defined references."""
    return Field(FIELD, "Defined references", Kind.DEFINED, Group.GENERAL, defined=fields, help=help)


def changed_values(before: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The values after clean ones were given by key; those that are not named stay. An emptied one is taken away."""
    is_given = any((given or {}).values())
    return changed(before, given, [one.key for one in all_defined() if one.is_retired] if is_given else ())


def facts_of(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a document with these values says of its references today; see ``rules.references.frozen``."""
    return frozen(all_defined(), values) if values else []


def shown(values: Mapping[str, str], facts: Sequence[Mapping[str, Any]] = ()) -> list[tuple[str, Any]]:
    """The references by name, days as such; of an issued document as they were frozen. Not for output as it is."""
    return [
        (fact["name"], date.fromisoformat(fact["value"]) if fact["kind"] == DAY else fact["value"])
        for fact in facts or facts_of(values)
    ]
