"""What a command may answer instead of a result.

A ``Refusal`` is a promise kept to a user: the input or the state does not allow the wish, nothing was
changed, and the message says what to do next. Everything that is not one of these classes is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``field`` is a path such as ``lines.2.quantity``, or ``""`` for the whole input."""

    field: str
    code: str
    message: str


class Refusal(Exception):
    """The wish cannot be granted and nothing was changed. Answers 422."""

    status = 422

    def __init__(self, code: str, message: str, field: str = "", problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(field, code, message),)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Refusal:
        """One refusal for all problems found in one input. There must be at least one."""
        found = tuple(problems)
        first = found[0]
        if len(found) == 1:
            return cls(first.code, first.message, first.field, found)
        return cls("invalid", f"{len(found)} values need your attention.", "", found)


class Conflict(Refusal):
    """The state of the record does not allow the wish, or somebody else was faster. Answers 409."""

    status = 409


class Stale(Conflict):
    """The record was changed since the caller read it."""

    def __init__(self, message: str = "Somebody changed this since you opened it. Reload to see it.") -> None:
        super().__init__("stale", message, "version")


class NotAllowed(Refusal):
    """The actor lacks a right. Answers 403. The message names the right and never a hidden value."""

    status = 403


class NotFound(Refusal):
    """No such record, or none that the actor may know of. Answers 404."""

    status = 404

    def __init__(self, message: str = "This record does not exist.", field: str = "") -> None:
        super().__init__("not_found", message, field)
