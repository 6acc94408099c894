"""Identifiers: UUID version 7, so that rows sort by the time at which they were made."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from counterfoil.core.errors import NotFound

__all__ = ["new_id", "parse_id"]


def new_id() -> UUID:
    """A new UUIDv7. Ids made by one process never run backwards."""
    return uuid7()


def parse_id(value: object) -> UUID:
    """The id in ``value``; raises ``NotFound`` for anything that is not one, since no record can have it."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(str(value))
    except ValueError:
        raise NotFound() from None
