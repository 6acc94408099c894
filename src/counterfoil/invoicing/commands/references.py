"""Defining the references of deals, subscriptions and documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import NotFound, Problem, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.invoicing.models import Element, ReferenceField, ReferenceKind
from counterfoil.invoicing.rules.references import FIELDS_MAX, KEY, NAME_LENGTH, OPTIONS_MAX, VALUE_LENGTH, key_of
from counterfoil.plumbing import clock

REFERENCE = "invoicing.reference_field"
_PLAIN = ("name", "is_required", "is_printed", "is_retired")


@command("invoicing.add_reference_field", needs="settings.change", takes={"values": Takes(REFERENCE)})
def add_reference_field(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Define a reference. Without a key its name gives one. It is printed, and a note of the e-invoice, unless the
    values say otherwise. Stands behind the others.
    """
    _one_at_a_time()
    key = values.get("key") or key_of(values["name"])
    if not KEY.fullmatch(key):
        text = "A key begins with a letter, has small letters, digits and “_”, and at most 40 of them."
        raise Refusal("bad_key", text, "key")
    known = ReferenceField.objects.filter(key=key).first()
    if known is not None:
        raise Refusal("taken", f"“{known.name}” has the key {key} already.", "key" if values.get("key") else "name")
    field = ReferenceField(
        id=new_id(),
        created_at=clock.now(),
        key=key,
        kind=values.get("kind") or ReferenceKind.TEXT,
        position=ReferenceField.objects.count() + 1,
    )
    _set(field, values)
    field.save(force_insert=True)
    return field.pk


@command("invoicing.change_reference_field", needs="settings.change", takes={"values": Takes(REFERENCE, partial=True)})
def change_reference_field(*, actor: Actor, field_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a reference from now on; issued documents keep what they say. Key and kind stay.

    A retired one is no longer offered. What has a value keeps it, and hands it on to its documents.
    """
    _one_at_a_time()
    field = ReferenceField.objects.select_for_update().filter(id=field_id).first()
    if field is None:
        raise NotFound()
    if version is not None and field.version != version:
        raise Stale()
    problems = [
        Problem(name, "fixed", "This stays as it was defined: values of it may be there. Define another reference.")
        for name in ("key", "kind")
        if name in values and values[name] != getattr(field, name)
    ]
    if problems:
        raise Refusal.of(problems)
    _set(field, values)
    field.version += 1
    field.save()


def _one_at_a_time() -> None:
    """What is compared with all others is defined one after the other. Ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE invoicing_referencefield IN SHARE ROW EXCLUSIVE MODE")


def _set(field: ReferenceField, values: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in values:
            setattr(field, name, values[name])
    if values.get("element"):
        field.element = values["element"]
    if values.get("position") is not None:
        field.position = values["position"]
    if "options" in values:
        field.options = list(dict.fromkeys(line.strip() for line in values["options"].splitlines() if line.strip()))
    _check(field)


def _check(field: ReferenceField) -> None:
    problems = []
    others = [one for one in ReferenceField.objects.filter(is_retired=False) if one.pk != field.pk]
    if field.kind == ReferenceKind.CHOICE and not field.options:
        problems.append(Problem("options", "missing", "Name the values to choose from, one on each line."))
    if field.kind != ReferenceKind.CHOICE and field.options:
        problems.append(Problem("options", "not_a_choice", "Only a choice has values to choose from."))
    if len(field.options) > OPTIONS_MAX or any(len(option) > VALUE_LENGTH for option in field.options):
        text = f"At most {OPTIONS_MAX} values of at most {VALUE_LENGTH} characters are possible."
        problems.append(Problem("options", "too_many", text))
    if not field.is_retired:
        if len(others) >= FIELDS_MAX:
            text = f"At most {FIELDS_MAX} references are in use at once. Retire one first."
            problems.append(Problem("name", "too_many", text))
        if any(one.name.casefold() == field.name.casefold() for one in others):
            problems.append(Problem("name", "taken", f"There is a reference “{field.name[:NAME_LENGTH]}” already."))
        filled = next((one for one in others if one.element == field.element), None)
        if filled is not None and field.element not in (Element.NONE, Element.NOTE):
            text = f"“{filled.name}” fills this element of the e-invoice already; it takes one reference."
            problems.append(Problem("element", "taken", text))
    if problems:
        raise Refusal.of(problems)
