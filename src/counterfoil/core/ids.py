"""Identifiers: UUID version 7, so that rows sort by the time at which they were made."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, SafeUUID

from uuid_utils import uuid7

from counterfoil.core.errors import NotFound

__all__ = ["id_text", "new_id", "parse_id"]


_new, _set = object.__new__, object.__setattr__


def new_id() -> UUID:
    """A new UUIDv7. Ids made by one process never run backwards."""
    made = _new(UUID)  # as UUID makes itself, without the checks of what it may be given: a third of the time
    _set(made, "int", uuid7().int)
    _set(made, "is_safe", SafeUUID.unknown)
    return made


def id_text(value: UUID) -> str:
    """An id as people read it, as ``str`` writes it. The ids of a document are written many times over."""
    return _text_of(value.int)


@lru_cache(10_000)
def _text_of(number: int) -> str:
    digits = number.to_bytes(16, "big").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_id(value: object) -> UUID:
    """The id in ``value``; raises ``NotFound`` for anything that is not one, since no record can have it."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(str(value))
    except ValueError:
        raise NotFound() from None
