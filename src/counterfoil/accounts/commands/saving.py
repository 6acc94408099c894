"""How a changed record of this room is found, checked for its version, and saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError

from counterfoil.core.errors import Conflict, NotFound, Stale
from counterfoil.plumbing.bulk import insert_rows
from counterfoil.plumbing.models import Record

R = TypeVar("R", bound=Record)

# A unique constraint, and the field whose value somebody else has.
_TAKEN = {
    "accounts_account_external_id_once": "external_id",
    "accounts_contact_external_id_once": "external_id",
    "accounts_paymentterms_key_key": "key",
}


def locked(model: type[R], record_id: UUID, version: int | None) -> R:
    """The record, locked until the command ends; refused when it is not there or was changed since it was read."""
    record = model._default_manager.select_for_update().filter(pk=record_id).first()
    if record is None:
        raise NotFound()
    if version is not None and record.version != version:
        raise Stale()
    return record


def changed_columns(record: Record, columns: Mapping[str, Any]) -> list[str]:
    """The names of the columns that have another value now. They are set on the record, which is not saved."""
    changed = [name for name, value in columns.items() if getattr(record, name) != value]
    for name in changed:
        setattr(record, name, columns[name])
    return changed


def save(record: Record, *, is_new: bool = False) -> None:
    """Save the record. A value that must be unique and is not is a refusal at its field."""
    if not is_new:
        record.version += 1
    try:
        if is_new:
            insert_rows([record])
        else:
            record.save(force_update=True)
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
        if constraint in _TAKEN:
            raise Conflict("taken", "Another record has this value already.", _TAKEN[constraint]) from None
        raise
