"""What an account says itself, what it inherits, and where each value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

T = TypeVar("T")

OWN, PARENT, DEFAULT, NONE = "own", "parent", "default", "none"


class Sourced(NamedTuple, Generic[T]):
    """A value and where it comes from.

    ``kind`` is own, parent, default, deal, subscription, catalog, rule, edited or none; ``label`` says it for people,
    such as "Acme Holding · payment terms"; ``record_id`` is the record that says it.
    """

    value: T
    kind: str
    label: str
    record_id: UUID | None = None


class Said(NamedTuple, Generic[T]):
    """What one account of the chain says; ``is_own`` of the account itself, which is not above itself."""

    account_id: UUID
    title: str
    value: T
    is_own: bool


def is_said(value: object) -> bool:
    """Whether a value says anything: ``None`` and ``""`` do not."""
    return value is not None and value != ""


def resolve(nearest: Said[T] | None, default: T, subject: str) -> Sourced[T]:
    """What the nearest account says that says anything (the account itself, its parent, and so on up), else the
    default.
    """
    if nearest is not None:
        kind = OWN if nearest.is_own else PARENT
        return Sourced(nearest.value, kind, f"{nearest.title} · {subject}", nearest.account_id)
    return _by_default(default, subject)


@lru_cache
def _by_default(default: Any, subject: str) -> Sourced[Any]:
    if is_said(default):
        return Sourced(default, DEFAULT, f"Company default · {subject}")
    return Sourced(default, NONE, f"No {subject} anywhere")


LEVELS_MAX = 20
"""How many accounts may stand above one another. More than any group of companies has; it keeps every walk short."""


def would_be_circle(account_id: UUID, ancestors_of_parent: Sequence[UUID]) -> bool:
    """Whether giving the account this parent would make it its own ancestor.

    ``ancestors_of_parent`` includes the parent.
    """
    return account_id in ancestors_of_parent


def would_be_too_deep(height: int, ancestors_of_parent: Sequence[UUID]) -> bool:
    """Whether the account's branch of ``height`` levels, itself included, is too tall to hang below that parent."""
    return height + len(ancestors_of_parent) > LEVELS_MAX
