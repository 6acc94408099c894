"""Promises that must hold over all rows at any time, each as one SQL query that finds what breaks it.

A room registers its own in ``invariants.py``; ``counterfoil verify`` walks them all. They only read, and mend nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

SHOWN = 5


@dataclass(frozen=True)
class Invariant:
    """``key`` is how people name it, ``promise`` what holds in one sentence, ``breaches`` the SQL that finds no row."""

    key: str
    promise: str
    breaches: str


@dataclass(frozen=True)
class Finding:
    """What one invariant's query found: how many rows break it, and the first of them as text."""

    invariant: Invariant
    count: int
    examples: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.count == 0


_invariants: dict[str, Invariant] = {}


def invariant(key: str, promise: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a function that returns the SQL. A ``%`` in it stands for itself."""

    def register(breaches: Callable[[], str]) -> Callable[[], str]:
        if key in _invariants:
            raise ValueError(f"two invariants are called {key}")
        _invariants[key] = Invariant(key, promise, breaches().strip().rstrip(";"))
        return breaches

    return register


def invariants() -> list[Invariant]:
    return [_invariants[key] for key in sorted(_invariants, key=_by_letter_and_number)]


def _by_letter_and_number(key: str) -> tuple[str, int, str]:
    letters = key.rstrip("0123456789")
    digits = key[len(letters) :]
    return letters, int(digits or 0), key


def verify() -> Sequence[Finding]:
    """Walk every invariant over one unchanging view of the data. Changes nothing and blocks nobody."""
    findings = []
    with transaction.atomic(), connection.cursor() as cursor:
        if not _inside_another():
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Whole tables are compared. With statistics from before a large import, one would be walked per row of another.
        cursor.execute("SET LOCAL enable_nestloop = off")
        for promised in invariants():
            cursor.execute(f"SELECT count(*) FROM ({promised.breaches}) AS breach")  # noqa: S608 - the rooms' own SQL
            (count,) = cursor.fetchone()
            examples: tuple[str, ...] = ()
            if count:
                cursor.execute(f"SELECT breach::text FROM ({promised.breaches}) AS breach LIMIT {SHOWN}")  # noqa: S608
                examples = tuple(text for (text,) in cursor.fetchall())
            findings.append(Finding(promised, count, examples))
        cursor.execute("SET LOCAL enable_nestloop TO DEFAULT")
    return findings


def _inside_another() -> bool:
    """Whether a transaction was open before ours, as in a test: its isolation cannot be changed any more."""
    return len(connection.savepoint_ids) > 0
