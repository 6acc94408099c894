"""What an account says itself, what it inherits, and where each value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

OWN, PARENT, DEFAULT, NONE = "own", "parent", "default", "none"


@dataclass(frozen=True)
class Sourced(Generic[T]):
    """A value and where it comes from.

    ``kind`` is own, parent, default, deal, subscription, catalog, rule, edited or none; ``label`` says it for people,
    such as "Acme Holding · payment terms"; ``record_id`` is the record that says it.
    """

    value: T
    kind: str
    label: str
    record_id: UUID | None = None


@dataclass(frozen=True)
class Said(Generic[T]):
    """What one account of the chain says: empty (``None`` or ``""``) when it says nothing."""

    account_id: UUID
    title: str
    value: T


def resolve(chain: Sequence[Said[T]], default: T, subject: str) -> Sourced[T]:
    """The nearest value along the chain (the account itself, its parent, and so on up), else the default."""
    for place, said in enumerate(chain):
        if said.value not in (None, ""):
            kind = OWN if place == 0 else PARENT
            return Sourced(said.value, kind, f"{said.title} · {subject}", said.account_id)
    if default in (None, ""):
        return Sourced(default, NONE, f"No {subject} anywhere")
    return Sourced(default, DEFAULT, f"Company default · {subject}")


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
